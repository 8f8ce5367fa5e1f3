// Package s3 refuses each call to S3, where Temporal could archive histories:
// see engine/without/README.md.
package s3

import (
	"context"
	"errors"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

var errWithout = errors.New("this engine is built without S3")

// Client refuses each call and makes no connection.
type Client struct{}

func NewFromConfig(aws.Config, ...func(*Options)) *Client { return &Client{} }

func (*Client) HeadBucket(context.Context, *HeadBucketInput, ...func(*Options)) (*HeadBucketOutput, error) {
	return nil, errWithout
}

func (*Client) HeadObject(context.Context, *HeadObjectInput, ...func(*Options)) (*HeadObjectOutput, error) {
	return nil, errWithout
}

func (*Client) PutObject(context.Context, *PutObjectInput, ...func(*Options)) (*PutObjectOutput, error) {
	return nil, errWithout
}

func (*Client) GetObject(context.Context, *GetObjectInput, ...func(*Options)) (*GetObjectOutput, error) {
	return nil, errWithout
}

func (*Client) ListObjectsV2(context.Context, *ListObjectsV2Input, ...func(*Options)) (*ListObjectsV2Output, error) {
	return nil, errWithout
}

// What Temporal would ask, as far as it names it.
type (
	Options struct {
		BaseEndpoint *string
		UsePathStyle bool
	}
	HeadBucketInput struct{ Bucket *string }
	HeadObjectInput struct{ Bucket, Key *string }
	GetObjectInput  struct{ Bucket, Key *string }
	PutObjectInput  struct {
		Bucket, Key *string
		Body        io.Reader
	}
	ListObjectsV2Input struct {
		Bucket, Prefix, Delimiter, ContinuationToken *string
		MaxKeys                                      *int32
	}
)

// No answer is ever made.
type (
	HeadBucketOutput    struct{}
	HeadObjectOutput    struct{}
	PutObjectOutput     struct{}
	GetObjectOutput     struct{ Body io.ReadCloser }
	ListObjectsV2Output struct {
		CommonPrefixes        []types.CommonPrefix
		Contents              []types.Object
		IsTruncated           *bool
		NextContinuationToken *string
	}
)
