/// Whether what `on_miss: next` finds is written back to the copies that lacked it.
public let fillsBack = false
