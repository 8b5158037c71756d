internal import ArgumentParser
internal import Glibc
internal import Telemetry

/// The folder of a backup, on the proxy's machine.
struct FolderArgument: ParsableArguments {
    @Argument(help: ArgumentHelp("The folder, on the machine that the proxy runs on.", valueName: "dir"))
    var folder: String

    /// From / on: the proxy works in another folder.
    var path: String {
        if folder.utf8.first == 0x2f { return folder }
        guard let here = unsafe getcwd(nil, 0) else { return folder }
        defer { unsafe free(here) }
        return unsafe String(cString: here) + "/" + folder
    }
}

/// `drover backup POOL DIR`
struct Backup: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Save a pool's items in a folder.",
        discussion: """
            While clients go on, at the pool's `sync: rate`. An item is saved as it is when it is read. The folder is \
            made if it is not there. A backup that was interrupted goes on where the same command is given again: \
            parts that are done are left out.

            The job belongs to the proxy: Ctrl-C leaves it running.

            EXAMPLE:
              drover backup main /var/backups/main
            """)

    @Argument(help: ArgumentHelp("The pool's name.", valueName: "pool"))
    var pool: String

    @OptionGroup var folder: FolderArgument
    @OptionGroup var admin: AdminOption
    @OptionGroup var job: JobOptions

    func run() throws {
        let path = "/api/pools/\(PercentCoding.encode(pool))/backup?path=\(PercentCoding.encode(folder.path))"
        throw try job.follow(path, of: admin)
    }
}

/// `drover restore POOL DIR`
struct Restore: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Put the items of a backup back.",
        discussion: """
            While clients go on, at the pool's `sync: rate`, and onto a pool of any size. Keys that are there stay as \
            they are; with --overwrite they get the backup's values. Items whose time is over are left out. Damaged \
            blocks are named and left out, and the command fails then.

            The job belongs to the proxy: Ctrl-C leaves it running.

            EXAMPLES:
              drover restore main /var/backups/main
              drover restore main /var/backups/main --overwrite
            """)

    @Argument(help: ArgumentHelp("The pool's name.", valueName: "pool"))
    var pool: String

    @OptionGroup var folder: FolderArgument

    @Flag(help: "Replace the values of keys that are there.")
    var overwrite = false

    @OptionGroup var admin: AdminOption
    @OptionGroup var job: JobOptions

    func run() throws {
        let query = "path=\(PercentCoding.encode(folder.path))&overwrite=\(overwrite ? 1 : 0)"
        throw try job.follow("/api/pools/\(PercentCoding.encode(pool))/restore?\(query)", of: admin)
    }
}
