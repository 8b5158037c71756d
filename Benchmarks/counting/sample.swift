// Proves that the counting library counts: `sample MODE N` does N times what MODE says, and nothing else that grows, on
// a thread that is named as one that serves clients.
import Glibc

final class Box {
    var value = 0
}

struct Slots {
    var first: Box
    var second: Box
}

nonisolated(unsafe) var slots = Slots(first: Box(), second: Box())

/// One retain and one release: the slot that is overwritten lets go, the other object is held twice.
@inline(never)
func swapIn(_ turn: Int) {
    if turn & 1 == 0 { slots.first = slots.second } else { slots.second = Box.other }
}

extension Box {
    nonisolated(unsafe) static var other = Box()
}

/// One object.
@inline(never)
func makeOne(_ turn: Int) {
    slots.first = Box()
    slots.first.value = turn
}

@inline(never)
func addUp(_ turn: Int) {
    slots.first.value &+= turn
}

// Swift's module of the C library lacks it.
@_silgen_name("pthread_setname_np") func nameThread(_ thread: pthread_t, _ name: UnsafePointer<CChar>) -> CInt

guard nameThread(pthread_self(), "worker-0") == 0 else { fatalError("no name") }
let turns = Int(CommandLine.arguments[2])!
switch CommandLine.arguments[1] {
case "retain": for turn in 0..<turns { swapIn(turn) }
case "allocate": for turn in 0..<turns { makeOne(turn) }
case "clean": for turn in 0..<turns { addUp(turn) }
default: fatalError("mode?")
}
