// Package okta asks nobody at Okta, where Vault could have a second factor
// confirmed: see devvault/without/README.md.
package okta

import (
	"context"
	"errors"
)

var errWithout = errors.New("this Vault is built without Okta")

// Configuration cannot be had.
type Configuration struct{ Context context.Context }

type ConfigSetter func(*Configuration)

// NewConfiguration always returns an error, and with it a login that wants a
// factor of Okta's is refused.
func NewConfiguration(...ConfigSetter) (*Configuration, error) { return nil, errWithout }

func WithToken(string) ConfigSetter  { return nil }
func WithOrgUrl(string) ConfigSetter { return nil }
func WithCache(bool) ConfigSetter    { return nil }

// APIClient refuses each call.
type APIClient struct {
	UserAPI       users
	UserFactorAPI factors
}

func NewAPIClient(*Configuration) *APIClient { return &APIClient{} }

func (*APIClient) GetConfig() *Configuration { return &Configuration{Context: context.Background()} }

type (
	users   struct{}
	factors struct{}
	// request has a type of answer, of which none is ever made.
	request[T any] struct{}
)

func (users) ListUsers(context.Context) request[[]User] { return request[[]User]{} }

func (factors) ListFactors(context.Context, string) request[[]UserFactor] {
	return request[[]UserFactor]{}
}

func (factors) VerifyFactor(context.Context, string, string) request[*Verified] {
	return request[*Verified]{}
}

func (factors) GetFactorTransactionStatus(context.Context, string, string, string) request[*Transaction] {
	return request[*Transaction]{}
}

func (r request[T]) Filter(string) request[T] { return r }

// Execute always returns an error.
func (request[T]) Execute() (answer T, response any, err error) { return answer, nil, errWithout }

type (
	User       struct{}
	UserFactor struct{ UserFactorPush *UserFactorPush }
	// UserFactorPush is a factor that a person confirms on a telephone.
	UserFactorPush struct{}
	Verified       struct{ Links any }
	// Transaction says nothing, which Vault takes for a refusal.
	Transaction struct {
		UserFactorPushTransactionWaiting, UserFactorPushTransaction         *struct{}
		UserFactorPushTransactionRejected, UserFactorPushTransactionTimeout *struct{}
	}
)

func (User) GetId() string               { return "" }
func (*UserFactorPush) GetId() string    { return "" }
func (Verified) GetFactorResult() string { return "" }
