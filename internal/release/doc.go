// Package release has the tests of what people get: the packages, their units,
// and, with the build tag release, whole releases and an installation that is
// started. `make release-test` runs all of them.
package release
