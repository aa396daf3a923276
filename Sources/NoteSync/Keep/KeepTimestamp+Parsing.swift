extension KeepTimestamp {
    /// Reads `YYYY-MM-DDThh:mm:ss`, with a fraction of any length and an offset (`Z`, `±hh:mm`, `±hhmm`, `±hh`) or
    /// neither. A space may stand for the `T`. Digits past the microsecond are cut off.
    ///
    /// - Returns: nil for any other text, and for a date or time that does not exist. A leap second counts as the
    ///   second before it.
    public init?(_ text: String) {
        var reader = Reader(text: Array(text.utf8))
        guard let day = reader.day(), reader.take("T") || reader.take(" ") || reader.take("t"),
            let time = reader.time(), let offset = reader.offset(), reader.isAtEnd
        else { return nil }
        self.init(microseconds: (day * 86_400 - offset) * 1_000_000 + time)
    }

    private struct Reader {
        let text: [UInt8]
        var position = 0

        var isAtEnd: Bool { position == text.count }

        mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard position < text.count, text[position] == UInt8(ascii: character) else { return false }
            position += 1
            return true
        }

        mutating func number(digits: Int, in range: ClosedRange<Int64>) -> Int64? {
            guard position + digits <= text.count else { return nil }
            var value: Int64 = 0
            for byte in text[position..<position + digits] {
                guard byte >= 48, byte <= 57 else { return nil }
                value = value * 10 + Int64(byte - 48)
            }
            position += digits
            return range.contains(value) ? value : nil
        }

        /// Days since 1970-01-01.
        mutating func day() -> Int64? {
            guard let year = number(digits: 4, in: 1...9999), take("-"),
                let month = number(digits: 2, in: 1...12), take("-"),
                let day = number(digits: 2, in: 1...CivilDate.daysInMonth(month, year: year))
            else { return nil }
            return CivilDate.days(year: year, month: month, day: day)
        }

        /// Microseconds of the day.
        mutating func time() -> Int64? {
            guard let hour = number(digits: 2, in: 0...23), take(":"),
                let minute = number(digits: 2, in: 0...59), take(":"),
                let second = number(digits: 2, in: 0...60), let fraction = fraction()
            else { return nil }
            return (hour * 3600 + minute * 60 + min(second, 59)) * 1_000_000 + fraction
        }

        /// Microseconds; 0 where there is no fraction.
        private mutating func fraction() -> Int64? {
            guard take(".") || take(",") else { return 0 }
            var value: Int64 = 0
            var digits = 0
            while position < text.count, text[position] >= 48, text[position] <= 57 {
                if digits < 6 { value = value * 10 + Int64(text[position] - 48) }
                digits += 1
                position += 1
            }
            guard digits > 0 else { return nil }
            for _ in min(digits, 6)..<6 { value *= 10 }
            return value
        }

        /// Seconds east of UTC; 0 where there is no offset.
        mutating func offset() -> Int64? {
            if isAtEnd || take("Z") || take("z") { return 0 }
            let sign: Int64
            if take("+") { sign = 1 } else if take("-") { sign = -1 } else { return nil }
            guard let hours = number(digits: 2, in: 0...23) else { return nil }
            if isAtEnd { return sign * hours * 3600 }
            _ = take(":")
            guard let minutes = number(digits: 2, in: 0...59) else { return nil }
            return sign * (hours * 3600 + minutes * 60)
        }
    }
}
