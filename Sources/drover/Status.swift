internal import ArgumentParser
internal import Glibc

/// `drover status`
struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show a running proxy's pools, nodes, traffic and jobs.",
        discussion: """
            Figures count from the proxy's start. With --json it is what GET /api/status answers: all that is shown, \
            and more, with names and units as in /metrics.

            EXAMPLES:
              drover status
              drover status --admin 10.0.0.7:9411 --json
            """)

    @OptionGroup var admin: AdminOption

    @Flag(help: "Print it as JSON.")
    var json = false

    func run() throws {
        let client = try admin.client()
        do throws(AdminFailure) {
            Terminal.write(try client.status(json: json), to: STDOUT_FILENO)
        } catch {
            throw error.code
        }
    }
}
