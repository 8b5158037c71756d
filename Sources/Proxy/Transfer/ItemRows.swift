/// Items under way, by number; the number of one that is over is given to another.
struct ItemRows<Row> {
    private var rows: [Row] = []
    private var free: [UInt32] = []

    /// In use.
    var count: Int { rows.count - free.count }

    mutating func add(_ row: Row) -> UInt32 {
        let index = free.popLast() ?? UInt32(rows.count)
        if Int(index) == rows.count { rows.append(row) } else { rows[Int(index)] = row }
        return index
    }

    /// - Parameter empty: stands in its place, and holds nothing.
    mutating func remove(_ index: UInt32, leaving empty: Row) {
        rows[Int(index)] = empty
        free.append(index)
    }

    subscript(index: Int) -> Row {
        get { rows[index] }
        _modify { yield &rows[index] }
    }
}
