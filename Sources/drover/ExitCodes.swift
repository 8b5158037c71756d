internal import ArgumentParser

/// How the process ends, the same for every command. The numbers are those of sysexits.h where it has one.
enum DroverExit: Int32 {
    /// It did what was asked; for `serve`, it was told to stop and everything in flight was answered.
    case ok = 0
    /// It ran and failed; for `serve`, requests were cut off when the time to drain was over.
    case failure = 1
    /// The command line is wrong.
    case usage = 64
    /// A file cannot be read.
    case noInput = 66
    /// What it needs is not there: an address to listen on, memcached for `dev`, a server for `bench`.
    case unavailable = 69
    /// The config is wrong; starting again with the same file cannot help.
    case config = 78

    var code: ExitCode { ExitCode(rawValue) }

    /// For `--help`.
    static let help = """
        EXIT CODES:
          0   done; for serve: told to stop, and everything in flight was answered
          1   it ran and failed; for serve: requests were cut off at the end
          64  the command line is wrong
          66  a file cannot be read
          69  something needed is not there (an address is taken, no memcached)
          78  the config is wrong; starting again cannot help
        """
}
