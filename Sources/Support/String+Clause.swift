extension String {
    /// The text as a clause of a sentence that goes on, or that ends with a full stop of its own.
    public var withoutFullStop: String { hasSuffix(".") ? String(dropLast()) : self }

    /// The text as a sentence, with a full stop where it has no end of one.
    public var withFullStop: String { last.map { ".?!".contains($0) } ?? true ? self : self + "." }
}
