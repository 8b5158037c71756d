/// What a node is to its pool, as operators see it.
///
///            full                                     lost
///     new ─────────▶ up ────────────────────────────────────────────▶ down
///      │             ▲  ▲                                              │
///      │ syncing     │  └──────────────── full ────────────────────────┤
///      └──────────▶ syncing ◀────────────── syncing ───────────────────┘
///
/// joining = syncing for a node that the config has added; draining = up, while its keys are moved away.
public enum NodeState: String, BitwiseCopyable, Sendable, CaseIterable {
    case new, up, down, syncing, joining, draining

    public var takesWrites: Bool { self != .new && self != .down }
    /// Where another copy is full, only these are read.
    public var isRead: Bool { self == .up || self == .draining }
}

/// Keeps a node's state from what happens to it.
public struct NodeLife: Equatable, Sendable {
    public enum Event: Equatable, Sendable, CaseIterable {
        /// Its markers say that it may be read.
        case full
        /// It answers, and they do not.
        case syncing
        /// It no longer answers.
        case lost
        /// The config has added it to a pool that serves.
        case added
        /// Its keys are to be moved away; and no longer.
        case draining, drainingCancelled
    }

    private enum Contact: Equatable { case none, lost, syncing, full }

    private var contact = Contact.none
    private var isAdded = false
    private var isLeaving = false

    public init() {}

    public mutating func apply(_ event: Event) {
        switch event {
        case .full:
            contact = .full
            isAdded = false
        case .syncing: contact = .syncing
        case .lost: contact = .lost
        case .added: isAdded = true
        case .draining: isLeaving = true
        case .drainingCancelled: isLeaving = false
        }
    }

    public var state: NodeState {
        switch contact {
        case .none: .new
        case .lost: .down
        case .syncing: isAdded ? .joining : .syncing
        case .full: isLeaving ? .draining : .up
        }
    }
}

extension NodeLife.Event {
    public init(_ access: PoolMarkers.Access) {
        switch access {
        case .none: self = .lost
        case .syncing: self = .syncing
        case .full: self = .full
        }
    }
}
