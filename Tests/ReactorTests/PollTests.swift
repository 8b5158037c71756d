import Reactor
import Testing

@Suite struct PollTests {
    /// A readable file that nobody reads is reported once a call, and each call comes back.
    @Test func pollReturnsWhileAFileStaysReadable() {
        let loop = EventLoop()
        let mailbox = Mailbox<Int>()
        let watch = loop.watchReadable(mailbox.descriptor, token: 7)
        loop.poll()
        #expect(loop.readyCount == 0)
        mailbox.send(1)
        for _ in 0..<2 {
            loop.poll()
            #expect(loop.readyCount == 1)
            #expect(loop.ready(at: 0).token == 7)
        }
        loop.remove(watch)
    }
}
