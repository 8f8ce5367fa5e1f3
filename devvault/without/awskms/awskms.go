// Package awskms refuses to seal by that cloud's key: see
// devvault/without/README.md.
package awskms

import (
	"context"
	"errors"

	"github.com/hashicorp/go-hclog"
	wrapping "github.com/hashicorp/go-kms-wrapping/v2"
)

// Names that Vault's configuration knows.
const (
	EnvAwsKmsWrapperKeyId   = "AWSKMS_WRAPPER_KEY_ID"
	EnvVaultAwsKmsSealKeyId = "VAULT_AWSKMS_SEAL_KEY_ID"
)

var errWithout = errors.New("this Vault is built without AWS KMS")

// Wrapper refuses each call and makes no connection.
type Wrapper struct{}

func NewWrapper() *Wrapper { return &Wrapper{} }

func (*Wrapper) Type(context.Context) (wrapping.WrapperType, error) {
	return wrapping.WrapperTypeAwsKms, nil
}

func (*Wrapper) KeyId(context.Context) (string, error) { return "", errWithout }

func (*Wrapper) SetConfig(context.Context, ...wrapping.Option) (*wrapping.WrapperConfig, error) {
	return nil, errWithout
}

func (*Wrapper) Encrypt(context.Context, []byte, ...wrapping.Option) (*wrapping.BlobInfo, error) {
	return nil, errWithout
}

func (*Wrapper) Decrypt(context.Context, *wrapping.BlobInfo, ...wrapping.Option) ([]byte, error) {
	return nil, errWithout
}

// WithDisallowEnvVars changes nothing: whatever comes with it is refused.
func WithDisallowEnvVars(bool) wrapping.Option { return nothing }

func nothing() any { return nil }

// WithLogger changes nothing. Vault hands it to its own seal, which passes over
// the options of others.
func WithLogger(hclog.Logger) wrapping.Option { return nothing }
