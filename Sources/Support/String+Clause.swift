extension String {
    /// The text as a clause of a sentence that goes on, or that ends with a full stop of its own.
    public var withoutFullStop: String { hasSuffix(".") ? String(dropLast()) : self }
}
