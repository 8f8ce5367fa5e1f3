// Package discover finds no servers in any cloud, where Vault could look for
// the others of a cluster: see devvault/without/README.md.
package discover

import (
	"errors"
	"log"
)

var errWithout = errors.New("this Vault is built without auto-join")

// Provider would look for servers in one cloud.
type Provider interface {
	Addrs(args map[string]string, l *log.Logger) ([]string, error)
	Help() string
}

// Providers is empty.
var Providers = map[string]Provider{}

// Discover refuses each call.
type Discover struct{}

type Option func(*Discover) error

func New(...Option) (*Discover, error) { return &Discover{}, nil }

func WithProviders(map[string]Provider) Option { return nil }

// Addrs always returns an error: nobody is asked.
func (*Discover) Addrs(string, *log.Logger) ([]string, error) { return nil, errWithout }

// Config is what a setting of auto-join says.
type Config map[string]string

// Parse refuses every one.
func Parse(string) (Config, error) { return nil, errWithout }

func (Config) String() string { return "" }
