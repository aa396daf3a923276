/// Version of the programs of this package.
public enum ServiceVersion {
    public static let current = "0.1.0"
}
