internal import ArgumentParser

struct Root: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "drover", subcommands: [Bench.self])
}

Root.main()
