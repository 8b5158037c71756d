import DroverTesting
import MemcacheProtocol
import Testing

@testable import ProxyCore

struct CASTagTests {
    private let tags = CASTag.tags(ofNodes: ["10.0.0.1:11211", "beta", "10.0.0.3:11211", "gamma"])
    private let edge: UInt64 = 1 << 52

    @Test func aNumberComesBackToTheNodeThatGaveIt() {
        #expect(Set(tags).count == 4)
        for tag in tags {
            for number: UInt64 in [1, 2, 77, 1 << 32, edge - 1] {
                let shown = tag.shown(number)
                #expect(shown < 1 << 63)
                for other in tags { #expect(other.plain(shown) == (other == tag ? number : nil)) }
            }
        }
    }

    @Test func noNumberIsNone() {
        for tag in tags + [.none] {
            #expect(tag.shown(0) == 0)
            #expect(tag.plain(0) == 0)
        }
    }

    /// Chosen by a client with `E`.
    @Test func aNumberWithoutRoomForATagMatchesNowhere() {
        for number in [edge, edge + 1, 5 * edge, 1 << 63, UInt64.max - 1, .max] {
            for tag in tags {
                let shown = tag.shown(number)
                #expect(shown != 0)
                for other in tags { #expect(other.plain(shown) == nil) }
            }
        }
    }

    /// Made up, or kept from before the pool had copies.
    @Test func aNumberThatNobodyWasShownMatchesNowhere() {
        for tag in tags {
            let mine = tag.shown(1) - 1
            for held in [1, 77, edge - 1, mine, .max, 1 << 63, (tag.shown(5)) | 1 << 63] {
                #expect(tag.plain(held) == nil)
            }
        }
    }

    @Test func anyNumberIsReadOneWay() {
        var random = SeededGenerator.fromEnvironment()
        for _ in 0..<20_000 {
            let held = random.next() >> UInt64.random(in: 0..<64, using: &random)
            let readers = tags.filter { $0.plain(held) != nil }
            #expect(readers.count <= (held == 0 ? 4 : 1), "\(held), seed \(random.seed)")
            for tag in readers { #expect(tag.shown(tag.plain(held)!) == held, "\(held), seed \(random.seed)") }
            let plain = random.next() >> UInt64.random(in: 0..<64, using: &random)
            for tag in tags where plain != 0 {
                let shown = tag.shown(plain)
                for other in tags {
                    let read = other.plain(shown)
                    #expect(read == nil || other == tag && read == plain, "\(plain), seed \(random.seed)")
                }
            }
        }
    }

    @Test func tagsGoWithNames() {
        let names = (0..<300).map { "10.0.\($0 / 100).\($0 % 100):11211" }
        var random = SeededGenerator.fromEnvironment()
        let shuffled = names.shuffled(using: &random)
        let tags = Dictionary(uniqueKeysWithValues: zip(names, CASTag.tags(ofNodes: names)))
        #expect(Set(tags.values).count == 300)
        for (name, tag) in zip(shuffled, CASTag.tags(ofNodes: shuffled)) {
            #expect(tags[name] == tag, "seed \(random.seed)")
        }
        // Fixed for ever: another proxy of another version has to agree.
        #expect(CASTag.tags(ofNodes: ["10.0.0.1:11211", "beta"]).map { $0.shown(1) >> 52 } == [237, 1009])
    }

    @Test func thereAreOnlySoMany() {
        let many = CASTag.tags(ofNodes: (0..<CASTag.count + 3).map { "n\($0)" })
        #expect(Set(many).count == CASTag.count + 1)
        #expect(many.count { $0 == .none } == 3)
        for tag in many { #expect(CASTag.none.plain(tag.shown(5)) == nil) }
        #expect(CASTag.none.plain(CASTag.none.shown(5)) == nil)
    }

    @Test func whatTheNodeIsAsked() {
        let (mine, other) = (tags[0], tags[1])
        for (verb, options): (Verb, RequestOptions) in [
            (.cas, .comparesCAS), (.metaSet, .comparesCAS), (.metaSet, [.comparesCAS, .extends]),
            (.metaDelete, .comparesCAS), (.metaArithmetic, .comparesCAS), (.metaGet, .comparesCAS),
        ] {
            #expect(mine.asked(mine.shown(9), by: verb, options) == 9)
            #expect(mine.asked(0, by: verb, options) == 0)
            let sets = verb == .cas || options == .comparesCAS && verb == .metaSet
            #expect(mine.asked(other.shown(9), by: verb, options) == (sets ? 0 : .max))
        }
    }
}
