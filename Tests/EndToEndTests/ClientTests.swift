import DroverTesting
import Testing

/// Clients that people use, through Drover.
struct ClientTests {
    @Test(arguments: ["pymemcache_client.py", "pylibmc_client.py", "python_memcached_client.py", "meta_client.py"])
    func pythonClient(script: String) throws {
        let cluster = try Cluster()
        let result = try ChildProcess.run([
            packageRoot + "/.venv/bin/python", "\(packageRoot)/Tests/EndToEndTests/Clients/\(script)", "127.0.0.1",
            "\(cluster.address.port!)",
        ])
        #expect(result.code == 0, "\(result.output)\(result.error)")
    }

    @Test func libmemcachedsTools() throws {
        let cluster = try Cluster()
        let servers = "--servers=\(cluster.address)"
        let directory = try TemporaryDirectory()
        let file = directory.file("copied")
        try writeFile(file, "what memccp carries")
        #expect(try ChildProcess.run(["/usr/bin/memccp", servers, file]).code == 0)
        #expect(try ChildProcess.run(["/usr/bin/memcexist", servers, "copied"]).code == 0)
        #expect(try ChildProcess.run(["/usr/bin/memccat", servers, "copied"]).output.contains("what memccp carries"))
        let stat = try ChildProcess.run(["/usr/bin/memcstat", servers])
        #expect(stat.code == 0 && stat.output.contains("curr_items: 1"), "\(stat)")
        #expect(try ChildProcess.run(["/usr/bin/memcrm", servers, "copied"]).code == 0)
        #expect(try ChildProcess.run(["/usr/bin/memcexist", servers, "copied"]).code != 0)
        #expect(try ChildProcess.run(["/usr/bin/memccp", servers, file]).code == 0)
        #expect(try ChildProcess.run(["/usr/bin/memcflush", servers]).code == 0)
        #expect(try ChildProcess.run(["/usr/bin/memcexist", servers, "copied"]).code != 0)
    }

    /// libmemcached's conformance suite: whatever a lone memcached passes, Drover passes.
    @Test(.timeLimit(.minutes(20))) func memccapable() throws {
        let lone = try MemcachedServer()
        let cluster = try Cluster()
        let verdicts = try [lone.address, cluster.address].map { address in
            let result = try ChildProcess.run(
                ["/usr/bin/memccapable", "-h", "127.0.0.1", "-p", "\(address.port!)", "-a"], seconds: 60)
            return result.output.split(separator: "\n").filter { $0.contains("[pass]") }.map { $0.prefix { $0 != "[" } }
        }
        #expect(verdicts[0].count > 10)
        #expect(Set(verdicts[0]).subtracting(verdicts[1]) == [])
    }
}
