package main

import (
	"cmp"
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
)

// forgeries tries to get more out of a page's session than its policy gives: with
// its token changed in a letter, and by asking STS for another. Ceph's radosgw 16.2
// encrypts tokens and does not authenticate them, so that a changed one may lose
// its policy; and it gives a session's holder another session without one.
func (e *examiner) forgeries(ctx context.Context, p *probe) {
	session := p.session
	const places = 24 // of the token, from its first letter to its last
	open := false
	forged := *p
	for i := range places {
		changed := session
		token := []byte(session.SessionToken)
		if len(token) == 0 {
			break
		}
		at := i * (len(token) - 1) / (places - 1)
		if token[at] = 'A'; session.SessionToken[at] == 'A' {
			token[at] = 'B'
		}
		changed.SessionToken = string(token)
		forged.s3 = e.pageClient(p.d.Store, changed)
		if _, err := e.write(ctx, &forged, p.outside, false); err == nil {
			open = true
			e.fail(p.d.Name, "token", "a page's session whose token is changed in a letter may write another key", "write signing: presigned for "+p.d.Name+", so that no page gets a session of this store")
			break
		}
	}
	p.written = forged.written

	o := awssts.Options{Region: cmp.Or(p.d.Store.STS.Region, p.d.Store.Region), HTTPClient: e.http(p.d.Store), Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider(session.AccessKeyID, session.SecretAccessKey, session.SessionToken)}
	if !p.d.Store.AWS() {
		o.BaseEndpoint = aws.String(p.d.Store.Endpoint) // what pages reach; sts.endpoint may be the server's alone
	}
	_, err := stscreds.NewAssumeRoleProvider(awssts.New(o), p.d.Store.STS.RoleARN, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName, o.Duration = doctorName, 15*time.Minute
	}).Retrieve(ctx)
	if err == nil {
		open = true
		e.fail(p.d.Name, "token", "a page's session gets another from STS, without its policy", "keep STS from pages (for Ceph: rgw_enable_apis without sts at the gateway that they reach, and another gateway as sts.endpoint), or write signing: presigned for "+p.d.Name)
	}
	if !open {
		e.ok(p.d.Name, "token", "a changed one is refused, and none is had by it")
	}
}
