// FernetTests
