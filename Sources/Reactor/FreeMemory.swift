internal import CPlatform

/// The memory that the process has freed.
public enum FreeMemory {
    /// Gives to the system what the allocator keeps of it for later: some milliseconds for each hundred MiB, in which
    /// other threads that want memory wait.
    public static func release() { drover_release_free_memory() }
}
