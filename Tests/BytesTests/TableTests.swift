import Bytes
import DroverTesting
import Testing

@Suite struct TableTests {
    @Test func slotsAreReusedNewestFirstAndKeepWhatTheyHold() {
        let table = Table<UInt64>(limit: 100)
        let slots = (0..<10).map { table.take(UInt64($0) * 3) }
        #expect(Set(slots).count == 10)
        #expect(table.count == 10)
        table.free(slots[3])
        table.free(slots[7])
        #expect(table.count == 8)
        #expect(table.take(70) == slots[7])
        #expect(table.take(30) == slots[3])
        for index in 0..<10 where index != 3 && index != 7 { #expect(table[slots[index]] == UInt64(index) * 3) }
        #expect(table[slots[7]] == 70)
    }

    @Test func updateChangesTheElementInPlace() {
        let table = Table<UInt64>(limit: 4)
        let slot = table.take(5)
        let before = table.update(slot) { element in
            defer { element += 1 }
            return element
        }
        #expect(before == 5 && table[slot] == 6)
    }

    @Test func aTableTakesAsManyAsItsLimit() {
        let table = Table<UInt32>(limit: 1000)
        for index in 0..<1000 { #expect(table.take(UInt32(index)) == UInt32(index)) }
        for index in 0..<1000 { table.free(UInt32(index)) }
        #expect(table.count == 0)
    }

    @Test func aFullTableTraps() async {
        await #expect(processExitsWith: .failure) {
            let table = Table<UInt32>(limit: 1)
            _ = table.take(1)
            _ = table.take(2)
        }
    }

    @Test func aSlotBeyondTheLimitTraps() async {
        await #expect(processExitsWith: .failure) {
            let table = Table<UInt32>(limit: 4)
            table[4] = 1
        }
    }
}

@Suite struct StackTests {
    @Test func itGivesBackInReverseAndGrows() {
        let stack = Stack<Int>()
        for index in 0..<1000 { stack.push(index) }
        #expect(stack.count == 1000 && stack[999] == 999 && stack[0] == 0)
        stack[0] = 42
        for index in (1..<1000).reversed() { #expect(stack.pop() == index) }
        #expect(stack.pop() == 42)
        #expect(stack.pop() == nil && stack.isEmpty)
        stack.push(1)
        stack.removeAll()
        #expect(stack.isEmpty == true)
    }

    @Test func anIndexBeyondTheCountTraps() async {
        await #expect(processExitsWith: .failure) {
            let stack = Stack<Int>()
            stack.push(1)
            _ = stack[1]
        }
    }

    @Test func theSlotsInUseAreFoundInOrder() {
        let table = Table<UInt64>(limit: 10)
        let slots = (0..<6).map { table.take($0) }
        for slot in [slots[4], slots[1], slots[5]] { table.free(slot) }
        let again = table.take(9)
        var found: [UInt32] = []
        table.forEachUsed { found.append($0) }
        #expect(found == [0, 2, 3, again].sorted())
    }
}
