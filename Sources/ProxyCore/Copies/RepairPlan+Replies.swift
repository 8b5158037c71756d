internal import Bytes
internal import MemcacheProtocol

/// What follows from each reply.
extension RepairPlan {
    mutating func looked(_ code: ReplyCode, _ line: RawSpan, at copy: Int) -> Use {
        let isAnswer = code == .en || code == (fetches(copy) ? .value : .hd)
        guard isAnswer, let item = Self.item(code, line) else {
            fail(copy)
            return .discard
        }
        let wasWon = copies[copy].item.isWon
        copies[copy].item = item
        if wasWon { copies[copy].item.isWon = true }
        guard copy != source else {
            if isCheck, !isSized {
                isSized = true
                // Once more, with its value.
                if fetches(copy) { return .discard }
            }
            copies[copy].step = .settled
            for index in (source + 1)..<max(count, source + 1) { copies[index].step = .look }
            return item.hasValue ? .keep : .discard
        }
        let wanted = copies[source].item
        if !item.agrees(with: wanted, seconds: isCheck ? 2 : 1) {
            differs(copy)
        } else if !wanted.hasValue || wanted.size == 0 {
            copies[copy].step = .settled
        } else if wanted.size <= compareLimit {
            copies[copy].step = .compare
            return .compare
        } else {
            copies[copy].step = isCheck ? .settled : .store
        }
        return .discard
    }

    /// A copy has something else than the source.
    mutating func differs(_ copy: Int) {
        if isCheck { hasDifference = true }
        copies[copy].step = isCheck ? .settled : .store
    }

    /// After a ms, a md or, for a stub where nothing was, a mg N.
    mutating func stored(_ code: ReplyCode, _ line: RawSpan, at copy: Int) {
        let wanted = copies[source].item.kind
        if wanted == .stub, copies[copy].item.kind == .missing { return marked(code, line, at: copy) }
        switch code {
        case .hd:
            written += 1
            copies[copy].item.isWon = false
            if wanted == .stale {
                copies[copy].item = copies[source].item
                copies[copy].item.isWon = false
                copies[copy].item.cas = ReplyParser.casNumber(in: line, to: .metaSet, .wantsCAS)?.number ?? 0
            }
            copies[copy].step = wanted == .stale || wanted == .stub ? .mark : .settled
        // A delete that comes too late has nothing to do.
        case .nf where wanted == .missing: copies[copy].step = .settled
        case .ns, .ex, .nf: move(copy)
        default: fail(copy)
        }
    }

    /// After a md I, or a mg N that should have made a stub.
    mutating func marked(_ code: ReplyCode, _ line: RawSpan, at copy: Int) {
        switch code {
        case .hd:
            let isStub = copies[source].item.kind == .stub
            // Only to the maker of a stub the node answers W.
            if isStub, !Self.hasWon(line) { return move(copy) }
            if isStub, copies[copy].item.kind == .missing { written += 1 }
            copies[copy].step = .settled
        case .nf, .en, .ex: move(copy)
        default: fail(copy)
        }
    }

    /// Someone else has changed the copy.
    mutating func move(_ copy: Int) {
        hasMoved = true
        copies[copy].step = .settled
        copies[copy].item.isWon = false
    }

    mutating func fail(_ copy: Int) {
        let wasFirstLook = copy == source && copies[copy].step == .look
        copies[copy].step = .failed
        // The next in line stands in.
        guard wasFirstLook, source + 1 < sources else { return }
        source += 1
        isSized = false
        copies[source].step = .look
    }

    /// Goes on when no copy has anything to do.
    mutating func advance() {
        guard !isOver else { return }
        compareWithCheck()
        for index in 0..<count where !isIdle(index) { return }
        if copies[source].step == .settled, written > 0, !hasMoved, !isConfirmed {
            isConfirmed = true
            copies[source].step = .confirm
            return
        }
        for index in 0..<count where copies[index].step == .settled && copies[index].item.isWon {
            copies[index].item.isWon = false
            copies[index].step = .giveBack
        }
        isOver = (0..<count).allSatisfy { isIdle($0) }
    }

    private func isIdle(_ index: Int) -> Bool {
        switch copies[index].step {
        case .idle, .settled, .failed: true
        case .look, .compare, .store, .mark, .confirm, .giveBack: false
        }
    }

    /// Nil where the line is no answer to a look.
    static func item(_ code: ReplyCode, _ line: RawSpan) -> StoredItem? {
        switch code {
        case .en: .missing
        case .hd, .value: StoredItem(line: line)
        default: nil
        }
    }

    /// A flag W in a line without numbers.
    private static func hasWon(_ line: RawSpan) -> Bool {
        for index in 2..<max(line.byteCount, 2) where line.byte(at: index) == 0x57 { return true }
        return false
    }
}
