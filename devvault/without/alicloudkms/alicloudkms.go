// Package alicloudkms refuses to seal by that cloud's key: see
// devvault/without/README.md.
package alicloudkms

import (
	"context"
	"errors"

	wrapping "github.com/hashicorp/go-kms-wrapping/v2"
)

// Names that Vault's configuration knows.
const (
	EnvAliCloudKmsWrapperKeyId   = "ALICLOUDKMS_WRAPPER_KEY_ID"
	EnvVaultAliCloudKmsSealKeyId = "VAULT_ALICLOUDKMS_SEAL_KEY_ID"
)

var errWithout = errors.New("this Vault is built without AliCloud KMS")

// Wrapper refuses each call and makes no connection.
type Wrapper struct{}

func NewWrapper() *Wrapper { return &Wrapper{} }

func (*Wrapper) Type(context.Context) (wrapping.WrapperType, error) {
	return wrapping.WrapperTypeAliCloudKms, nil
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
