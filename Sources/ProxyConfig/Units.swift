/// Why a value was refused; the reader adds the key and the place.
struct Refusal: Error, Equatable {
    var reason: String
}

/// Numbers with units, as people write them. Every parser is total: any text gives a value or a reason.
enum Units {
    /// A whole number without unit, sign or separators.
    static func integer(_ text: String) throws(Refusal) -> Int {
        guard let (number, unit) = split(text), unit.isEmpty, let value = Int(number) else {
            throw Refusal(reason: "\"\(text)\" is not a whole number")
        }
        return value
    }

    /// Nanoseconds of `200ms`, `1.5s`, `50us`, `2m`, `1h`.
    static func duration(_ text: String) throws(Refusal) -> UInt64 {
        guard let (number, unit) = split(text) else {
            throw Refusal(reason: "\"\(text)\" is not a duration; write it like 200ms, 1.5s or 2m")
        }
        let scale: Int
        switch unit {
        case "us", "µs": scale = 1_000
        case "ms": scale = 1_000_000
        case "s": scale = 1_000_000_000
        case "m", "min": scale = 60_000_000_000
        case "h": scale = 3_600_000_000_000
        case "": throw Refusal(reason: "\(text) has no unit; write \(text)ms or \(text)s")
        default: throw Refusal(reason: "\"\(unit)\" is not a unit of time; use us, ms, s, m or h")
        }
        return UInt64(try scaled(number, by: scale, text))
    }

    /// Bytes of `1MiB`, `64k`, `500kB`, `1048576`: KiB, MiB, GiB and k, m, g count by 1024, as memcached's `-I` does;
    /// kB, MB and GB count by 1000.
    static func size(_ text: String) throws(Refusal) -> Int {
        guard let (number, unit) = split(text) else {
            throw Refusal(reason: "\"\(text)\" is not a size; write it like 512KiB, 1MiB or 1048576")
        }
        let scale: Int
        switch unit.lowercased() {
        case "", "b": scale = 1
        case "k", "kib": scale = 1 << 10
        case "m", "mib": scale = 1 << 20
        case "g", "gib": scale = 1 << 30
        case "t", "tib": scale = 1 << 40
        case "kb": scale = 1_000
        case "mb": scale = 1_000_000
        case "gb": scale = 1_000_000_000
        default: throw Refusal(reason: "\"\(unit)\" is not a unit of size; use KiB, MiB, GiB, kB, MB or GB")
        }
        return try scaled(number, by: scale, text)
    }

    /// Things a second of `20000/s` or `20k/s`.
    static func rate(_ text: String) throws(Refusal) -> Int {
        guard let (number, unit) = split(try perSecond(text, like: "20000/s")) else {
            throw Refusal(reason: "\"\(text)\" is not a rate; write it like 20000/s")
        }
        switch unit {
        case "": return try scaled(number, by: 1, text)
        case "k": return try scaled(number, by: 1_000, text)
        case "M": return try scaled(number, by: 1_000_000, text)
        default: throw Refusal(reason: "\"\(text)\" is not a rate; write it like 20000/s")
        }
    }

    /// Bytes a second of `20MiB/s`.
    static func bandwidth(_ text: String) throws(Refusal) -> Int {
        try size(try perSecond(text, like: "20MiB/s"))
    }

    /// Hundredths of a percent of `5%`.
    static func share(_ text: String) throws(Refusal) -> Int {
        guard let (number, unit) = split(text), unit == "%" else {
            throw Refusal(reason: "\"\(text)\" is not a share; write it like 5%")
        }
        return try scaled(number, by: 100, text)
    }

    private static func perSecond(_ text: String, like example: String) throws(Refusal) -> String {
        guard text.hasSuffix("/s") else {
            throw Refusal(reason: "\"\(text)\" must end in /s; write it like \(example)")
        }
        return String(text.dropLast(2))
    }

    /// The leading digits (with at most one point) and what follows; nil where no digit leads.
    private static func split(_ text: String) -> (number: String, unit: String)? {
        let number = text.prefix { ("0"..."9").contains($0) || $0 == "." }
        guard number.first?.isNumber == true, number.last?.isNumber == true else { return nil }
        guard number.count(where: { $0 == "." }) <= 1 else { return nil }
        let unit = text.dropFirst(number.count).drop { $0 == " " }
        return (String(number), String(unit))
    }

    /// `number` times `scale` in integers; what is smaller than 1 is cut off.
    private static func scaled(_ number: String, by scale: Int, _ text: String) throws(Refusal) -> Int {
        let parts = number.split(separator: ".", omittingEmptySubsequences: false)
        var result: Int?
        if let whole = Int(parts[0]) {
            let (product, overflow) = whole.multipliedReportingOverflow(by: scale)
            if !overflow { result = product }
        }
        guard var value = result else { throw Refusal(reason: "\(text) is too large") }
        if parts.count == 2 {
            // Six digits of a fraction, times the largest scale, stay within 63 bits.
            let digits = parts[1].prefix(6)
            let divisor = digits.reduce(1) { power, _ in power * 10 }
            let (sum, overflow) = value.addingReportingOverflow((Int(digits) ?? 0) * scale / divisor)
            guard !overflow else { throw Refusal(reason: "\(text) is too large") }
            value = sum
        }
        return value
    }

    /// A duration in the largest unit that gives a whole number.
    static func text(ofDuration nanoseconds: UInt64) -> String {
        let scales: [(UInt64, String)] = [
            (3_600_000_000_000, "h"), (60_000_000_000, "m"), (1_000_000_000, "s"), (1_000_000, "ms"),
        ]
        for (scale, unit) in scales where nanoseconds >= scale && nanoseconds % scale == 0 {
            return "\(nanoseconds / scale)\(unit)"
        }
        return "\(nanoseconds / 1_000)us"
    }

    /// A size in the largest unit that gives a whole number.
    static func text(ofSize bytes: Int) -> String {
        for (shift, unit) in [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")]
        where bytes >= 1 << shift && bytes % (1 << shift) == 0 {
            return "\(bytes >> shift)\(unit)"
        }
        return "\(bytes)"
    }
}
