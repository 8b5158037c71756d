import ProxyConfig
import Testing

/// Every mistake is told by its place and its reason, and nothing else is told.
struct MistakeTests {
    @Test(arguments: Mistakes.wholeFiles)
    func wholeFile(_ mistake: (text: String, errors: [String])) {
        #expect(errors(of: mistake.text) == mistake.errors)
    }

    @Test(arguments: Mistakes.poolLines)
    func poolLine(_ mistake: (text: String, errors: [String])) {
        #expect(errors(of: Frame.pool(mistake.text)) == mistake.errors)
    }

    @Test(arguments: Mistakes.copies)
    func copies(_ mistake: (text: String, errors: [String])) {
        #expect(errors(of: Frame.pool(mistake.text)) == mistake.errors)
    }

    @Test(arguments: Mistakes.copyFiles)
    func copyFile(_ mistake: (text: String, errors: [String])) {
        #expect(errors(of: mistake.text) == mistake.errors)
    }

    @Test(arguments: Mistakes.nodes)
    func node(_ mistake: (text: String, errors: [String])) {
        #expect(errors(of: Frame.node(mistake.text)) == mistake.errors)
    }

    @Test(arguments: Mistakes.listeners)
    func listener(_ mistake: (text: String, errors: [String])) {
        #expect(errors(of: Frame.listen(mistake.text)) == mistake.errors)
    }

    @Test func theFramesAreRight() {
        #expect(errors(of: Frame.pool("timeout: 1s")) == [])
        #expect(errors(of: Frame.node("10.0.0.2:11211")) == [])
        #expect(errors(of: Frame.listen("127.0.0.1:11311")) == [])
    }

    @Test func allMistakesOfAFileAreTold() {
        let text = """
            workers: none
            pools:
              main:
                listen: 127.0.0.1
                nodes: [10.0.0.1]
                timeout: 5

            """
        #expect(
            errors(of: text) == [
                "1:10: workers: \"none\" is not a number; write auto or a number of 1 to 1024",
                "4:13: listen: \"127.0.0.1\" has no port; write 127.0.0.1:11311",
                "5:13: nodes: \"10.0.0.1\" has no port; write 10.0.0.1:11211",
                "6:14: timeout: 5 has no unit; write 5ms or 5s",
            ])
    }

    @Test func twemproxysFileIsRecognised() {
        let text = "alpha:\n  listen: 127.0.0.1:22121\n  servers:\n   - 127.0.0.1:11211:1\n"
        #expect(errors(of: text) == ["1:1: this is twemproxy's file; convert it with drover check --from c"])
    }

    @Test func anUnreadableFileIsNotAWrongOne() {
        #expect(throws: ConfigErrors.self) { try ConfigFile.load("/nowhere/drover.yml") }
        do {
            _ = try ConfigFile.load("/nowhere/drover.yml")
        } catch {
            #expect(error.cause == .unreadable)
            #expect(error.description == "/nowhere/drover.yml: cannot open the config: No such file or directory")
        }
    }
}

/// What a hostile or broken text may cost.
struct YamlBoundTests {
    @Test func aliasesThatMultiplyAreStopped() {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...9 {
            let before = "*a\(level - 1)"
            text += "a\(level): &a\(level) [" + Array(repeating: before, count: 10).joined(separator: ", ") + "]\n"
        }
        let told = errors(of: text)
        #expect(told.count == 1)
        #expect(told.first?.hasSuffix("more than 200000 values once aliases are written out") == true)
    }

    @Test func deepNestingIsStopped() {
        let told = errors(of: "a: " + String(repeating: "[", count: 5000))
        #expect(told == ["1:19: nested deeper than 16 levels"])
    }

    @Test func zeroBytesAndBadUTF8HaveAPlace() {
        #expect(errors(of: "pools:\n  ma\0in: 1\n") == ["2:5: a zero byte: this is not a text file"])
        let told = errors(of: "pools:\n  \u{1}: 1\n")
        #expect(told == ["2:3: this is not YAML: control characters are not allowed"])
    }

    @Test func filesAreBounded() {
        let text = "# " + String(repeating: "x", count: ConfigFile.maxBytes)
        #expect(errors(of: text).count == 1)
    }

    /// No cut of a right file traps, whatever it says of it.
    @Test func everyCutOfAFileIsAnswered() {
        let whole = Array(Frame.node("{address: \"10.0.0.2:11211\", weight: 2, name: é}").utf8)
        for end in 0..<whole.count {
            let text = String(decoding: whole[..<end], as: UTF8.self)
            _ = errors(of: text)
        }
        #expect(errors(of: String(decoding: whole, as: UTF8.self)) == [])
    }
}
