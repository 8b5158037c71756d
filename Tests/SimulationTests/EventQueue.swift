import DroverTesting

/// What is to happen, by time; of equal times in the order of being said.
struct EventQueue {
    /// Microseconds, then a number that counts up; then where the action is. Small, since debug builds have to move it.
    private var heap: [(key: UInt64, slot: Int)] = []
    private var actions: [(() -> Void)?] = []
    private var free: [Int] = []
    private var order: UInt64 = 0

    /// Nanoseconds.
    var nextTime: UInt64? { heap.isEmpty ? nil : (heap[0].key >> 32) * 1000 }

    mutating func add(at time: UInt64, _ action: @escaping () -> Void) {
        order += 1
        let slot: Int
        if let found = free.popLast() {
            slot = found
            actions[slot] = action
        } else {
            slot = actions.count
            actions.append(action)
        }
        let key = ((time + 999) / 1000) << 32 | order
        var index = heap.count
        heap.append((key, slot))
        while index > 0 {
            let parent = (index - 1) / 2
            if heap[parent].key <= key { break }
            heap[index] = heap[parent]
            index = parent
        }
        heap[index] = (key, slot)
    }

    mutating func removeFirst() -> () -> Void {
        let slot = heap[0].slot
        let last = heap.removeLast()
        if !heap.isEmpty { sink(last) }
        let action = actions[slot]!
        actions[slot] = nil
        free.append(slot)
        return action
    }

    private mutating func sink(_ last: (key: UInt64, slot: Int)) {
        let count = heap.count
        var index = 0
        while true {
            var child = 2 * index + 1
            if child >= count { break }
            if child + 1 < count, heap[child + 1].key < heap[child].key { child += 1 }
            if last.key <= heap[child].key { break }
            heap[index] = heap[child]
            index = child
        }
        heap[index] = last
    }
}

extension SeededGenerator {
    mutating func random(below limit: Int) -> Int { Int.random(in: 0..<limit, using: &self) }
}
