/// What operators ask for.
extension Control {
    public func obey(_ command: JobCommand) -> JobAnswer { .refused("nothing can be done yet") }
}
