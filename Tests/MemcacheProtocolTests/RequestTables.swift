/// A line, and what must come of it: the notation is that of `outcome`.
struct Row: Sendable {
    let line: String
    let expected: String

    init(_ line: String, _ expected: String) { (self.line, self.expected) = (line, expected) }
}

/// Every command of memcached 1.6.38, valid and not. The same rows are judged by a real server in `DifferentialTests`.
enum RequestTables {
    static let longest = String(repeating: "k", count: 250)
    static let tooLong = String(repeating: "k", count: 251)
    /// Base64 of `ab<newline>cd`, and of `__drover:a`.
    static let newlineKey = "YWIKY2Q="
    static let reservedKey = "X19kcm92ZXI6YQ=="

    static let all = retrieval + storage + arithmetic + deletion + metaGet + metaSet + metaOther + others

    static let retrieval = [
        Row("get a\r\n", "get a"),
        Row("get a\n", "get a"),
        Row("get a\r\r\n", "get a\r"),
        Row("  get   a  \r\n", "get a"),
        Row("get a\tb\r\n", "get a\tb"),
        Row("get a\u{1}b\r\n", "get a\u{1}b"),
        Row("get a\0b c\r\n", "get a"),
        Row("get \0a\r\n", "error"),
        Row("get é\r\n", "get é"),
        Row("get \(longest)\r\n", "get \(longest)"),
        Row("get \(tooLong)\r\n", "keyTooLong"),
        Row("gets \(tooLong)\r\n", "keyTooLong"),
        Row("get a \(tooLong) b\r\n", "keyTooLong"),
        Row("get a bb ccc\r\n", "get a bb ccc"),
        Row("get a a\r\n", "get a a"),
        Row("gets a bb\r\n", "gets a bb"),
        Row(manyKeys(60), manyKeys(60).trimmed),
        Row(manyKeys(22), manyKeys(22).trimmed),
        Row(manyKeys(23), manyKeys(23).trimmed),
        Row("get" + String(repeating: " a", count: 40) + " \(tooLong)\r\n", "keyTooLong"),
        Row("bget a\r\n", "get a"),
        Row("get\r\n", "error"),
        Row("get \r\n", "error"),
        Row("gets\r\n", "error"),
        Row("gat\r\n", "error"),
        Row("gat 10\r\n", "end"),
        Row("gats 10\r\n", "end"),
        Row("gat x\r\n", "invalidExptime"),
        Row("gat x a\r\n", "invalidExptime"),
        Row("gat 10 a\r\n", "gat a, argument 10"),
        Row("gat 10 \(tooLong)\r\n", "keyTooLong"),
        Row("gats -1 a b\r\n", "gats a b, argument -1"),
        Row("gat +5 a\r\n", "gat a, argument +5"),
        Row("gat 5\tx a\r\n", "gat a, argument 5\tx"),
        Row("gat 9223372036854775807 a\r\n", "gat a, argument 9223372036854775807"),
        Row("gat 9223372036854775808 a\r\n", "invalidExptime"),
        Row("gat -9223372036854775808 a\r\n", "gat a, argument -9223372036854775808"),
        Row("gat -9223372036854775809 a\r\n", "invalidExptime"),
    ]

    static let storage =
        ["set", "add", "replace", "append", "prepend"].flatMap { verb in
            [
                Row("\(verb) k 0 0 5\r\n", "\(verb) k, body 5"),
                Row("\(verb) k 0 0 5\n", "\(verb) k, body 5"),
                Row("\(verb) k 0 0 0\r\n", "\(verb) k, body 0"),
                Row("\(verb) k 0 0 5 noreply\r\n", "\(verb) k, body 5, without ' noreply', quiet"),
                Row("\(verb) k 0 0 5 norepl\r\n", "\(verb) k, body 5"),
                Row("\(verb) k 0 0 5 noreply2\r\n", "\(verb) k, body 5"),
                Row("\(verb) k 0 0 5 noreply x\r\n", "error"),
                Row("\(verb) k 0 0\r\n", "error"),
                Row("\(verb) k\r\n", "error"),
                Row("\(verb)\r\n", "error"),
                Row("\(verb) \(tooLong) 0 0 1\r\n", "keyTooLong"),
                Row("\(verb) \(tooLong) 0 0 1 noreply\r\n", "keyTooLong, silent"),
                Row("\(verb) k a 0 1\r\n", "badCommandLine"),
                Row("\(verb) k 0 a 1\r\n", "badCommandLine"),
                Row("\(verb) k 0 0 a\r\n", "badCommandLine"),
                Row("\(verb) k 0 0 -1\r\n", "badCommandLine"),
                Row("\(verb) k 0 0 noreply\r\n", "badCommandLine, silent"),
                Row("\(verb) k -1 0 1\r\n", "badCommandLine"),
            ]
        } + numbers

    private static let numbers = [
        Row("set k 0 0 4294967297\r\n", "set k, body 1"),
        Row("set k 0 0 -4294967295\r\n", "set k, body 1"),
        Row("set k 0 0 2147483646\r\n", "badCommandLine"),
        Row("set k 0 0 2147483645 noreply\r\n", "tooLarge, swallow 2147483647, silent, drops"),
        Row("set k 0 0 2147483647\r\n", "badCommandLine"),
        Row("set k 0 0 18446744073709551617\r\n", "badCommandLine"),
        Row("set k 0 0 2000000\r\n", "tooLarge, swallow 2000002, drops"),
        Row("set k 0 0 2000000 noreply\r\n", "tooLarge, swallow 2000002, silent, drops"),
        Row("add k 0 0 2000000\r\n", "tooLarge, swallow 2000002"),
        Row("append k 0 0 2000000 noreply\r\n", "tooLarge, swallow 2000002, silent"),
        Row("set k 4294967297 0 1\r\n", "set k, body 1"),
        Row("set k 18446744073709551615 0 1\r\n", "set k, body 1"),
        Row("set k 18446744073709551616 0 1\r\n", "badCommandLine"),
        Row("set k 1. 0 1\r\n", "badCommandLine"),
        Row("set k 0x1 0 1\r\n", "badCommandLine"),
        Row("set k 0 -1 1\r\n", "set k, body 1"),
        Row("set k 0 99999999999 1\r\n", "set k, body 1"),
        Row("set k 0 0 1\tfoo\r\n", "set k, body 1"),
        Row("set k 0 0 \t1\r\n", "set k, body 1"),
        Row("set k 0 0 +1\r\n", "set k, body 1"),
        Row("set k 0 0 --1\r\n", "badCommandLine"),
        Row("set k 0 0 -0\r\n", "set k, body 0"),
        Row("set k 0 0 1\r\r\n", "set k, body 1"),
        Row("set k 0 0 1\0 foo\r\n", "set k, body 1"),
        Row("set k\r 0 0 1 noreply\n", "set k\r, body 1, without ' noreply', quiet"),
        Row("set k 0 0 1\r noreply\n", "set k, body 1, without 'noreply', quiet"),
        Row("cas k 0 0 1 7\r\n", "cas k, body 1, argument 7"),
        Row("cas k 0 0 1 7 noreply\r\n", "cas k, body 1, argument 7, without ' noreply', quiet"),
        Row("cas k 0 0 1 7 x\r\n", "cas k, body 1, argument 7"),
        Row("cas k 0 0 1\r\n", "error"),
        Row("cas k 0 0 1 7 8 9\r\n", "error"),
        Row("cas k 0 0 1 x\r\n", "badCommandLine"),
        Row("cas k 0 0 1 -1\r\n", "badCommandLine"),
        Row("cas k 0 0 1 noreply\r\n", "badCommandLine, silent"),
        Row("cas k 0 0 1 18446744073709551615\r\n", "cas k, body 1, argument 18446744073709551615"),
        Row("cas k 0 0 1 18446744073709551616\r\n", "badCommandLine"),
        Row("cas k 0 0 1 -18446744073709551615\r\n", "cas k, body 1, argument -18446744073709551615"),
        Row("cas k 0 0 2000000 1\r\n", "tooLarge, swallow 2000002"),
    ]

    static let arithmetic =
        ["incr", "decr"].flatMap { verb in
            [
                Row("\(verb) k 1\r\n", "\(verb) k"),
                Row("\(verb) k 1 noreply\r\n", "\(verb) k, without ' noreply', quiet"),
                Row("\(verb) k 1 other\r\n", "\(verb) k"),
                Row("\(verb) k 1 noreply x\r\n", "error"),
                Row("\(verb) k\r\n", "error"),
                Row("\(verb)\r\n", "error"),
                Row("\(verb) k x\r\n", "invalidNumericDelta"),
                Row("\(verb) k -1\r\n", "invalidNumericDelta"),
                Row("\(verb) k x noreply\r\n", "invalidNumericDelta, silent"),
                Row("\(verb) k noreply\r\n", "invalidNumericDelta, silent"),
                Row("\(verb) k 18446744073709551615\r\n", "\(verb) k"),
                Row("\(verb) k 18446744073709551616\r\n", "invalidNumericDelta"),
                Row("\(verb) \(tooLong) 1\r\n", "keyTooLong"),
                Row("\(verb) \(tooLong) x\r\n", "keyTooLong"),
                Row("\(verb) \(tooLong) 1 noreply\r\n", "keyTooLong, silent"),
            ]
        }

    static let deletion = [
        Row("delete k\r\n", "delete k"),
        Row("delete k noreply\r\n", "delete k, without ' noreply', quiet"),
        Row("delete k\r noreply\n", "delete k\r, without 'noreply', quiet"),
        Row("delete noreply\r\n", "delete noreply"),
        Row("delete k 0\r\n", "delete k"),
        Row("delete k 0 noreply\r\n", "delete k, without ' noreply', quiet"),
        Row("delete k 00\r\n", "deleteUsage"),
        Row("delete k 1\r\n", "deleteUsage"),
        Row("delete k 1 noreply\r\n", "deleteUsage, silent"),
        Row("delete k 0 x\r\n", "deleteUsage"),
        Row("delete k noreply 0\r\n", "deleteUsage"),
        Row("delete \(tooLong)\r\n", "keyTooLong"),
        Row("delete \(tooLong) noreply\r\n", "keyTooLong, silent"),
        Row("delete \(tooLong) x\r\n", "deleteUsage"),
        Row("delete\r\n", "error"),
        Row("delete k 0 noreply x\r\n", "error"),
        Row("touch k 10\r\n", "touch k"),
        Row("touch k 10 noreply\r\n", "touch k, without ' noreply', quiet"),
        Row("touch k 10 x\r\n", "touch k"),
        Row("touch k -1\r\n", "touch k"),
        Row("touch k\r\n", "error"),
        Row("touch k 1 noreply x\r\n", "error"),
        Row("touch k x\r\n", "invalidExptime"),
        Row("touch k x noreply\r\n", "invalidExptime, silent"),
        Row("touch \(tooLong) 1\r\n", "keyTooLong"),
    ]

    static func manyKeys(_ count: Int) -> String {
        "get" + (0..<count).map { " key\($0)" }.joined() + "\r\n"
    }
}

extension String {
    fileprivate var trimmed: String { String(dropLast()) }  // CR LF is one Character
}
