// Package resource reads no names of HashiCorp's cloud: see
// devvault/without/README.md.
package resource

import "errors"

// Resource is never made.
type Resource struct{}

// FromString refuses every one.
func FromString(string) (Resource, error) {
	return Resource{}, errors.New("this Vault is built without HashiCorp Cloud Platform")
}
