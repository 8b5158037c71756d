extension String {
    /// With a `?` for everything that a terminal would obey rather than show: names come from other machines.
    public var visible: String {
        var result = ""
        for scalar in unicodeScalars {
            let obeyed = scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
            result.unicodeScalars.append(obeyed ? "?" : scalar)
        }
        return result
    }
}
