internal import ArgumentParser
internal import Glibc
internal import Telemetry

/// `drover status`
struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show a running proxy's pools, nodes, traffic and jobs, or the report of a job.",
        discussion: """
            Figures count from the proxy's start. With --json it is what GET /api/status answers: all that is shown, \
            and more, with names and units as in /metrics. With a job's number it shows what that has done so far, or \
            had when it ended.

            EXAMPLES:
              drover status
              drover status --admin 10.0.0.7:9411 --json
              drover status 7
            """)

    @Argument(help: ArgumentHelp("A job's number.", valueName: "job"))
    var job: Int?

    @OptionGroup var admin: AdminOption

    @Flag(help: "Print it as JSON.")
    var json = false

    func run() throws {
        let client = try admin.client()
        do throws(AdminFailure) {
            Terminal.write(try text(client), to: STDOUT_FILENO)
        } catch {
            throw error.code
        }
    }

    private func text(_ client: AdminClient) throws(AdminFailure) -> String {
        guard let job else { return try client.status(json: json) }
        let view = try client.job(job)
        return json ? view.json.text + "\n" : view.text
    }
}
