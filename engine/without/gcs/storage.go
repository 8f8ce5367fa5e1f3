// Package storage refuses to open Google's storage, where Temporal could
// archive histories: see engine/without/README.md.
package storage

import (
	"context"
	"errors"
	"io"
)

// ScopeFullControl is the name of the right that Temporal would ask for.
const ScopeFullControl = "https://www.googleapis.com/auth/devstorage.full_control"

var errWithout = errors.New("this engine is built without Google Cloud Storage")

// Client cannot be had.
type Client struct{}

// NewClient always returns an error, and makes no connection.
func NewClient(context.Context, ...any) (*Client, error) { return nil, errWithout }

func (*Client) Bucket(string) *BucketHandle { return &BucketHandle{} }

// BucketHandle refuses each call.
type BucketHandle struct{}

func (*BucketHandle) Object(string) *ObjectHandle                     { return &ObjectHandle{} }
func (*BucketHandle) Objects(context.Context, *Query) *ObjectIterator { return &ObjectIterator{} }
func (*BucketHandle) Attrs(context.Context) (*BucketAttrs, error)     { return nil, errWithout }

// ObjectHandle refuses each call.
type ObjectHandle struct{}

func (*ObjectHandle) NewWriter(context.Context) *Writer           { return &Writer{} }
func (*ObjectHandle) NewReader(context.Context) (*Reader, error)  { return nil, errWithout }
func (*ObjectHandle) Attrs(context.Context) (*ObjectAttrs, error) { return nil, errWithout }

// ObjectIterator has nothing.
type ObjectIterator struct{}

func (*ObjectIterator) Next() (*ObjectAttrs, error) { return nil, errWithout }

// Writer takes nothing.
type Writer struct{}

func (*Writer) Write([]byte) (int, error)  { return 0, errWithout }
func (*Writer) Close() error               { return errWithout }
func (*Writer) CloseWithError(error) error { return errWithout }

// Reader cannot be had.
type Reader struct{ io.ReadCloser }

type (
	Query       struct{ Prefix string }
	BucketAttrs struct{}
	ObjectAttrs struct{ Name string }
)
