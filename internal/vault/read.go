package vault

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	vaultapi "github.com/hashicorp/vault/api"
)

func (c *Client) readSecret(ctx context.Context, path string, params map[string][]string) (*vaultapi.Secret, error) {
	return ReadSecret(ctx, c.api, path, params)
}

// ReadSecret is the client's ReadWithDataWithContext for what a campaign reads
// thousands of times: a plain answer is decoded as it comes in, of which the
// client makes two copies first. Every other answer is the client's to judge.
func ReadSecret(ctx context.Context, api *vaultapi.Client, path string, params map[string][]string) (*vaultapi.Secret, error) {
	ctx, cancel := context.WithCancel(ctx) // takes the client's own time-out of a raw read with it
	defer cancel()
	res, err := api.Logical().ReadRawWithDataWithContext(ctx, path, params)
	if err != nil || res.StatusCode != http.StatusOK {
		return api.Logical().ParseRawResponseAndCloseBody(res, err)
	}
	defer res.Body.Close()
	got := &vaultapi.Secret{}
	d := json.NewDecoder(res.Body)
	d.UseNumber()
	switch err := d.Decode(got); {
	case errors.Is(err, io.EOF):
		return nil, nil // as the client has it: there is nothing
	case err != nil:
		return nil, err
	}
	// A connection whose answer was not read to the end is not used again.
	_, err = io.Copy(io.Discard, res.Body)
	return got, err
}
