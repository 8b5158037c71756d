import Bytes
import Distribution

private let members = (0..<10).map { Member(key: "10.0.0.\($0):11211", weight: 1) }

private func hash(_ hash: KeyHash) -> Subject {
    let key = Array("key:00001234".utf8)
    return Subject(name: "hash: \(hash.rawValue), 12 bytes") { times in
        var sum: UInt64 = 0
        for _ in 0..<times { sum &+= hash.hash(key.span.bytes, from: 0, count: key.count) }
        return sum
    }
}

private func pick(_ kind: DistributionKind) -> Subject {
    let distributor = Distributor(kind: kind, members: members)
    return Subject(name: "pick: \(kind.rawValue) of 10 nodes") { times in
        var hash: UInt64 = 1
        var sum: UInt64 = 0
        for _ in 0..<times {
            hash = hash &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            sum &+= UInt64(distributor.pick(hash >> 32, random: hash))
        }
        return sum
    }
}

// least-loaded picks by the loads of the moment; its ring is ketama's.
let ringSubjects: [Subject] =
    KeyHash.allCases.map { hash($0) } + DistributionKind.allCases.filter { $0 != .leastLoaded }.map { pick($0) }
