extension UInt8 {
    /// A digit or a letter of ASCII.
    var isASCIIAlphanumeric: Bool { isASCIIDigit || isASCIILetter }

    /// A digit.
    var isASCIIDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }

    /// A letter of ASCII, of either case.
    var isASCIILetter: Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self | 0x20) }

    /// The same letter in lower case; other bytes as they are.
    var asciiLowercased: UInt8 { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self) ? self | 0x20 : self }

    /// A character of the url-safe base64 alphabet.
    var isBase64URL: Bool { isASCIIAlphanumeric || self == UInt8(ascii: "-") || self == UInt8(ascii: "_") }

    /// A blank, tab, line feed, carriage return, or other ASCII control.
    var isASCIISpaceOrControl: Bool { self <= 0x20 || self == 0x7F }
}
