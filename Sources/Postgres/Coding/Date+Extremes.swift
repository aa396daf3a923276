public import Foundation

// The tables hold times that no clock shows, and other programs write some of them.

extension Date {
    /// `infinity` or `-infinity`, as PostgreSQL writes them; nil for a time.
    public var infinityText: String? {
        switch self {
        case .distantFuture: "infinity"
        case .distantPast: "-infinity"
        default: nil
        }
    }

    /// The nearest time with a year from 1 to 9999: what a text of four digits can show and its readers know.
    public var withFourDigitYear: Date { min(max(self, Self.firstOfYearOne), Self.lastOfYear9999) }

    private static let firstOfYearOne = Date(timeIntervalSince1970: -62_135_596_800)
    private static let lastOfYear9999 = Date(timeIntervalSince1970: 253_402_300_799)
}
