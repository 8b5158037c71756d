import DroverTesting
import Testing

@testable import ProxyCore

/// The steps of a backup and of a restore.
struct RestoreStepTests {
    // MARK: Save

    private func save(_ replies: ItemReply...) -> (sent: [ItemCommand.Kind], outcome: SaveStep.Outcome?) {
        var step = SaveStep()
        var sent: [ItemCommand.Kind] = []
        var replies = replies[...]
        while let command = step.nextCommand() {
            #expect(command.side == .source && step.nextCommand() == nil)
            sent.append(command.kind)
            guard let reply = replies.popFirst() else { break }
            step.received(reply)
        }
        return (sent, step.outcome)
    }

    @Test func onlyFreshItemsAreSaved() {
        let item = StepTests.item()
        #expect(save(.item(item)) == ([.fetch], .saved(item)))
        #expect(save(.missing) == ([.fetch], .gone))
        #expect(save(.item(StepTests.item(ttl: 0))) == ([.fetch], .skipped(.expiring)))
        #expect(save(.item(StepTests.item(.stub))) == ([.fetch], .skipped(.stub)))
        #expect(save(.item(StepTests.item(.stale))) == ([.fetch], .skipped(.stale)))
        #expect(save(.item(StepTests.won()), .done(cas: 0)) == ([.fetch, .giveBack], .skipped(.stale)))
        #expect(save(.item(StepTests.won()), .failed) == ([.fetch, .giveBack], .failed))
        #expect(save(.failed) == ([.fetch], .failed))
    }

    // MARK: Restore

    @Test func oneCopyNeedsNoSecondLook() {
        var step = RestoreStep(copies: 1)
        #expect(step.nextCommand() == .init(copy: 0, kind: .add))
        step.received(.done(cas: 4), from: 0)
        #expect(step.outcome == .restored && step.nextCommand() == nil)
    }

    @Test(arguments: [
        (ItemReply.refused, RestoreStep.Outcome.present), (.tooLarge, .skipped(.tooLarge)), (.failed, .failed),
        (.done(cas: 0), .failed),
    ])
    func whatOneCopyRefusesIsTakenBackFromTheOther(reply: ItemReply, outcome: RestoreStep.Outcome) {
        for first in 0..<2 {
            var step = RestoreStep(copies: 2)
            while let command = step.nextCommand() { #expect(command.kind == .add) }
            step.received(.done(cas: 4), from: first)
            step.received(reply, from: 1 - first)
            #expect(step.nextCommand() == .init(copy: first, kind: .takeBack, cas: 4))
            step.received(.done(cas: 0), from: first)
            #expect(step.outcome == outcome)
        }
    }

    /// Two copies, a client's write that reaches each of them at any time, and the step's commands likewise, in every
    /// order that can be: the copies agree in the end, and what the client was told holds.
    @Test(arguments: Write.allCases, [[false, false], [false, true], [true, false], [true, true]])
    func copiesAgreeInEveryOrder(write: Write, lives: [Bool]) {
        var ends = 0
        explore(World(write, lives: lives)) { world in
            ends += 1
            let (first, second) = (world.nodes[0].value, world.nodes[1].value)
            switch write {
            case .set: #expect(first == .client && second == .client, "\(world.trace)")
            case .delete: #expect(first == nil || first == second, "\(world.trace)")
            case .none: break
            }
            if lives == [false, false], write != .set {
                #expect(first == second, "\(world.trace)")
                if write == .none { #expect(first == .backup && world.step.outcome == .restored) }
            }
            // A copy that was alive is never overwritten, and never stands beside the backup's.
            if lives != [false, false], write == .none {
                #expect(first != .backup && second != .backup && world.step.outcome == .present, "\(world.trace)")
            }
            if write == .delete { #expect(first == second, "\(world.trace)") }
        }
        #expect(ends > (write == .none ? 1 : 10))
    }

    enum Write: CaseIterable { case none, set, delete }
    enum Value { case old, client, backup }

    struct Node {
        var value: Value?
        var cas: UInt64 = 0
    }

    /// The state of a run: what is on its way to which node, and back.
    struct World {
        var nodes: [Node]
        var step = RestoreStep(copies: 2)
        /// Commands on their way to a node; a link keeps their order, two links do not.
        var commands: [RestoreStep.Command] = []
        let write: Write
        /// Nodes that the client's write has not reached; nil until it begins.
        var pending: [Int]?
        var trace = ""

        init(_ write: Write, lives: [Bool]) {
            self.write = write
            nodes = lives.map { Node(value: $0 ? .old : nil, cas: $0 ? 1 : 0) }
            if write == .none { pending = [] }
            drain()
        }

        mutating func drain() { while let command = step.nextCommand() { commands.append(command) } }

        mutating func run(_ command: RestoreStep.Command) {
            let node = nodes[command.copy]
            trace += " \(command.kind)\(command.copy)"
            var reply = ItemReply.missing
            switch command.kind {
            case .add:
                if node.value == nil {
                    nodes[command.copy] = Node(value: .backup, cas: node.cas + 1)
                    reply = .done(cas: node.cas + 1)
                } else {
                    reply = .refused
                }
            case .look: if node.value != nil { reply = .item(StepTests.item(cas: node.cas)) }
            case .takeBack:
                if node.value != nil, node.cas == command.cas {
                    nodes[command.copy].value = nil
                    reply = .done(cas: 0)
                } else if node.value != nil {
                    reply = .refused
                }
            }
            step.received(reply, from: command.copy)
            drain()
        }

        mutating func reach(_ node: Int) {
            trace += " \(write)\(node)"
            pending?.removeAll { $0 == node }
            nodes[node].cas += 1
            nodes[node].value = write == .set ? .client : nil
        }
    }

    private func explore(_ world: World, _ ended: (World) -> Void) {
        var isEnd = true
        for index in world.commands.indices {
            var next = world
            next.run(next.commands.remove(at: index))
            isEnd = false
            explore(next, ended)
        }
        // It begins at any time, even after the end.
        for node in world.pending ?? [0, 1] {
            var next = world
            if next.pending == nil { next.pending = [0, 1] }
            next.reach(node)
            isEnd = false
            explore(next, ended)
        }
        // The wait is longer than a write is under way.
        if world.step.isSettling, world.pending == nil || world.pending == [] {
            var next = world
            next.trace += " settled"
            next.step.settled()
            next.drain()
            isEnd = false
            explore(next, ended)
        }
        if isEnd { ended(world) }
    }
}
