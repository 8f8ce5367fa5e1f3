package directory

import (
	"context"
	"fmt"

	"rollcall/config"
	"rollcall/internal/address"
	"rollcall/internal/authority"
)

// Found are the servers of a directory at one moment.
type Found = authority.Found

// add takes in a server of the file, or one that was found, by all its
// addresses.
func (c *Client) add(ctx context.Context, f *Found, urls []string) error {
	for _, raw := range urls {
		s, err := c.newServer(raw)
		if err != nil {
			return fmt.Errorf("directory %s: server %q: %w", c.name, raw, err)
		}
		if err := c.finder().Add(ctx, f, s.named()); err != nil {
			return fmt.Errorf("directory %s: %w", c.name, err)
		}
	}
	return nil
}

func (c *Client) finder() address.Finder {
	return address.Finder{Resolver: c.resolver, Timeout: c.timeout}
}

func (s *server) named() address.Server {
	return address.Server{Name: s.name, Host: s.host, Port: s.port, Address: s.address}
}

// where is the address to dial.
func (s *server) where(ctx context.Context) (string, error) {
	return s.client.finder().Dial(ctx, s.named(), &s.found)
}

// reach gives the servers that were found, to be dialled where they were found.
// They are kept: each remembers which bind password was refused there, so that
// it is not offered again.
func (c *Client) reach(f Found) ([]*server, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []*server
	for _, raw := range f.Servers {
		key := config.ServerAt(raw, f.Addresses[raw])
		s, known := c.reached[key]
		if !known {
			var err error
			if s, err = c.newServer(raw); err != nil {
				return nil, fmt.Errorf("directory %s: server %q: %w", c.name, raw, err)
			}
			s.address = orDefault(s.address, f.Addresses[raw])
			if c.reached == nil {
				c.reached = map[string]*server{}
			}
			c.reached[key] = s
		}
		out = append(out, s)
	}
	return out, nil
}
