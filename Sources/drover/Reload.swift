internal import ArgumentParser

/// `drover reload`
struct Reload: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Have a running proxy read its config again.",
        discussion: """
            As SIGHUP does, but the answer is told: what is taken over, or why nothing is. A config that is wrong, or asks \
            for what cannot change while the proxy runs, changes nothing; the exit code is 1.

            EXAMPLE:
              drover reload
            """)

    @OptionGroup var admin: AdminOption

    func run() throws {
        let client = try admin.client()
        do throws(AdminFailure) {
            Terminal.out(try client.order("/api/reload"))
        } catch {
            throw error.code
        }
    }
}
