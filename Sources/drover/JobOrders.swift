internal import ArgumentParser
internal import Glibc
internal import Telemetry

/// The job that `pause`, `resume` and `cancel` are about.
struct JobArgument: ParsableArguments {
    @Argument(help: ArgumentHelp("The job's number, as `drover status` shows it.", valueName: "job"))
    var id: Int

    func validate() throws {
        guard id > 0 else { throw ValidationError("\(id) is no job: they count from 1") }
    }
}

/// `drover pause JOB`
struct Pause: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Hold a job, until `drover resume`.",
        discussion: """
            What it has done stays; what was under way is finished. A node that is being filled is not read meanwhile.

            EXAMPLE:
              drover pause 7
            """)

    @OptionGroup var job: JobArgument
    @OptionGroup var admin: AdminOption

    @Flag(help: "Print the job as JSON.")
    var json = false

    func run() throws {
        let client = try admin.client()
        do throws(AdminFailure) {
            let view = try client.job(client.command("/api/jobs/\(job.id)/pause"))
            Terminal.out(json ? view.json.text : view.line)
        } catch {
            throw error.code
        }
    }
}

/// `drover resume JOB`
struct Resume: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Let a job that was held go on.",
        discussion: """
            Follows it to its end, as the command that began it; with --no-wait it does not.

            EXAMPLE:
              drover resume 7 --no-wait
            """)

    @OptionGroup var job: JobArgument
    @OptionGroup var admin: AdminOption
    @OptionGroup var options: JobOptions

    func run() throws {
        throw try options.follow("/api/jobs/\(job.id)/resume", of: admin)
    }
}

/// `drover cancel JOB`
struct Cancel: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "End a job before it is done.",
        discussion: """
            Waits until it has ended, and shows what it did until then; the exit code is 0. What it has copied or \
            repaired stays. A node that was being filled is still not read, until `drover sync` fills it, it goes away \
            and comes back, or another proxy fills it.

            EXAMPLE:
              drover cancel 7
            """)

    @OptionGroup var job: JobArgument
    @OptionGroup var admin: AdminOption
    @OptionGroup var options: JobOptions

    func run() throws {
        let code = try options.follow("/api/jobs/\(job.id)/cancel", of: admin)
        // That it did not come to its own end is what was asked for.
        throw code == DroverExit.failure.code ? DroverExit.ok.code : code
    }
}
