/// The hash of a key, by twemproxy's names, plus xxh3.
public enum KeyHash: String, Sendable, CaseIterable {
    case oneAtATime = "one_at_a_time"
    case md5
    case crc16, crc32, crc32a
    case fnv1_64
    case fnv1a64 = "fnv1a_64"
    case fnv1_32
    case fnv1a32 = "fnv1a_32"
    case hsieh, murmur, jenkins
    case xxh3
}
