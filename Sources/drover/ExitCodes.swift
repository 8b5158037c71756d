internal import ArgumentParser

/// How the process ends, the same for every command. The numbers are those of sysexits.h where it has one.
enum DroverExit: Int32 {
    /// It did what was asked; for `serve`, it was told to stop and everything in flight was answered.
    case ok = 0
    /// It ran and failed; for `serve`, requests were cut off when the time to drain was over; for
    /// jobs, one came to no good end, or the proxy refused it.
    case failure = 1
    /// The command line is wrong, or names what is not there.
    case usage = 64
    /// A file cannot be read.
    case noInput = 66
    /// What it needs is not there: an address to listen on, memcached for `dev`, a server for `bench`, a running
    /// proxy for the commands that ask one.
    case unavailable = 69
    /// The config is wrong; starting again with the same file cannot help.
    case config = 78

    var code: ExitCode { ExitCode(rawValue) }

    /// For `--help`.
    static let help = """
        EXIT CODES:
          0   done; for serve: told to stop, and everything in flight was answered
          1   it ran and failed; for serve: requests were cut off at the end; for jobs: one did not succeed
          64  the command line is wrong, or there is no such pool, node or job
          66  a file cannot be read
          69  something needed is not there (an address is taken, no memcached, no running proxy)
          78  the config is wrong; starting again cannot help
          130 Ctrl-C while a job was followed; the job goes on
        """
}
