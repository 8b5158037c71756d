internal import CYaml

/// One step of a YAML text as libyaml reads it.
struct YamlEvent {
    enum Kind {
        case scalar(String, plain: Bool)
        case alias(String)
        case sequenceStart, sequenceEnd
        case mappingStart, mappingEnd
        case documentStart, documentEnd
        case streamStart, streamEnd
    }

    var kind: Kind
    var anchor: String?
    /// A tag other than YAML's own, such as `!secret`.
    var tag: String?
    var position: TextPosition
}

/// The only user of libyaml: owns its parser and the bytes that it reads, and lets no pointer out.
///
/// One thread uses one of these at a time; libyaml keeps all its state in the parser.
@safe final class YamlEvents {
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    /// libyaml reads from here until it is deleted, so the bytes live as long as the parser.
    private let input: UnsafeMutableBufferPointer<UInt8>

    /// Takes a copy of UTF-8 text.
    init(_ text: [UInt8]) {
        unsafe input = .allocate(capacity: text.count)
        _ = unsafe input.initialize(from: text)
        unsafe parser = .allocate(capacity: 1)
        unsafe parser.initialize(to: yaml_parser_t())
        // Fails only where malloc does, which Swift treats as the end as well.
        precondition(unsafe yaml_parser_initialize(parser) == 1, "out of memory")
        // Told the encoding, libyaml does not guess UTF-16 from the first bytes.
        unsafe yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        unsafe yaml_parser_set_input_string(parser, input.baseAddress, input.count)
    }

    deinit {
        unsafe yaml_parser_delete(parser)
        unsafe parser.deallocate()
        unsafe input.deallocate()
    }

    /// The next event; after `streamEnd` or a throw there is none to ask for.
    func next() throws(YamlProblem) -> YamlEvent {
        var event = unsafe yaml_event_t()
        guard unsafe yaml_parser_parse(parser, &event) == 1 else { throw problem() }
        defer { unsafe yaml_event_delete(&event) }
        return unsafe convert(event)
    }

    private func convert(_ event: yaml_event_t) -> YamlEvent {
        let position = Self.position(unsafe event.start_mark)
        func made(_ kind: YamlEvent.Kind, anchor: String? = nil, tag: String? = nil) -> YamlEvent {
            YamlEvent(kind: kind, anchor: anchor, tag: tag, position: position)
        }
        switch unsafe event.type {
        case YAML_SCALAR_EVENT:
            let scalar = unsafe event.data.scalar
            let text = unsafe String(
                decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
            return made(
                .scalar(text, plain: unsafe scalar.style == YAML_PLAIN_SCALAR_STYLE),
                anchor: unsafe Self.text(scalar.anchor), tag: unsafe Self.text(scalar.tag))
        case YAML_ALIAS_EVENT:
            return made(.alias(unsafe Self.text(event.data.alias.anchor) ?? ""))
        case YAML_SEQUENCE_START_EVENT:
            let start = unsafe event.data.sequence_start
            return made(.sequenceStart, anchor: unsafe Self.text(start.anchor), tag: unsafe Self.text(start.tag))
        case YAML_MAPPING_START_EVENT:
            let start = unsafe event.data.mapping_start
            return made(.mappingStart, anchor: unsafe Self.text(start.anchor), tag: unsafe Self.text(start.tag))
        case YAML_SEQUENCE_END_EVENT: return made(.sequenceEnd)
        case YAML_MAPPING_END_EVENT: return made(.mappingEnd)
        case YAML_DOCUMENT_START_EVENT: return made(.documentStart)
        case YAML_DOCUMENT_END_EVENT: return made(.documentEnd)
        case YAML_STREAM_START_EVENT: return made(.streamStart)
        default: return made(.streamEnd)
        }
    }

    /// What libyaml says of its failure, in one line.
    private func problem() -> YamlProblem {
        var message = "this is not YAML"
        if let what = unsafe parser.pointee.problem { unsafe message += ": " + String(cString: what) }
        if let context = unsafe parser.pointee.context { unsafe message += " (" + String(cString: context) + ")" }
        if unsafe parser.pointee.error == YAML_READER_ERROR {
            let offset = unsafe min(parser.pointee.problem_offset, input.count)
            return YamlProblem(message: message, position: unsafe Self.position(ofByte: offset, in: Array(input)))
        }
        if message.contains("cannot start any token") { message += "; is it a tab? YAML indents by spaces only" }
        return YamlProblem(message: message, position: Self.position(unsafe parser.pointee.problem_mark))
    }

    /// Where a byte is, for problems that libyaml gives by offset only.
    static func position(ofByte offset: Int, in text: [UInt8]) -> TextPosition {
        var position = TextPosition(line: 1, column: 1)
        for byte in text.prefix(offset) {
            if byte == UInt8(ascii: "\n") {
                position = TextPosition(line: position.line + 1, column: 1)
            } else if byte & 0xC0 != 0x80 {
                position.column += 1
            }
        }
        return position
    }

    private static func position(_ mark: yaml_mark_t) -> TextPosition {
        TextPosition(line: Int(mark.line) + 1, column: Int(mark.column) + 1)
    }

    private static func text(_ bytes: UnsafeMutablePointer<UInt8>?) -> String? {
        guard let bytes = unsafe bytes else { return nil }
        return unsafe String(cString: bytes)
    }
}
