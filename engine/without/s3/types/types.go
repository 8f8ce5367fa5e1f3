// Package types has the names of S3's answers: see engine/without/README.md.
package types

type (
	CommonPrefix struct{ Prefix *string }
	Object       struct{ Key *string }
)

// NoSuchBucket and NoSuchKey are errors that are never made here.
type (
	NoSuchBucket struct{}
	NoSuchKey    struct{}
)

func (*NoSuchBucket) Error() string { return "no such bucket" }
func (*NoSuchKey) Error() string    { return "no such key" }
