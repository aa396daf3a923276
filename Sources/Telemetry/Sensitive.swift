/// A value that prints as `[redacted]`, whatever prints it: interpolation, `print`, `dump`, a debugger, a log.
///
/// Read the wrapped value with ``value`` at the one place that needs it.
public struct Sensitive<Value: Sendable>: Sendable {
    /// The wrapped value.
    public let value: Value

    /// A wrapper around `value`.
    public init(_ value: Value) {
        self.value = value
    }
}

extension Sensitive: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Always `[redacted]`.
    public var description: String { Redactor.marker }

    /// Always `[redacted]`.
    public var debugDescription: String { Redactor.marker }

    /// A mirror without children, so that `dump` and string reflection find nothing.
    public var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }
}

extension Sensitive: Equatable where Value: Equatable {}
extension Sensitive: Hashable where Value: Hashable {}
