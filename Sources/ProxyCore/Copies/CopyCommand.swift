internal import MemcacheProtocol

/// How a command is dealt with where keys have several copies.
extension RequestHead {
    /// It changes the item, or may.
    var isWrite: Bool {
        switch verb {
        case .set, .add, .replace, .append, .prepend, .cas, .delete, .incr, .decr, .touch, .metaSet, .metaDelete,
            .metaArithmetic:
            true
        case .gat, .gats: keyCount == 1
        case .metaGet: !options.contains(.pureRead)
        default: false
        }
    }

    /// Its result does not depend on what is stored: all copies get it at once.
    var goesToAllCopies: Bool {
        switch verb {
        case .set, .delete: true
        case .metaSet: options.isDisjoint(with: [.readModifyWrite, .comparesCAS, .invalidates, .extends, .wantsCAS])
        case .metaDelete: options.isDisjoint(with: [.comparesCAS, .invalidates, .leavesItem])
        default: false
        }
    }

    /// It looks at one item and changes nothing.
    var isRead: Bool { verb == .get || verb == .metaGet && options.contains(.pureRead) }

    /// Its reply shows a CAS number.
    var showsCAS: Bool { verb == .gets || verb == .gats || verb == .metaDebug || options.contains(.wantsCAS) }

    /// `q` hides that a counter was changed but not that it was made, and the loud answers look alike: only a node that
    /// is asked quietly tells.
    var isToldByNode: Bool { verb == .metaArithmetic && options.isSuperset(of: [.quiet, .vivifies]) }
}
