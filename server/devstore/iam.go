package devstore

import (
	"errors"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/iamapi/policy"
	"github.com/versity/versitygw/iamapi/types"
	"github.com/versity/versitygw/s3err"
)

// iam is the gateway's view of who there is: the root account, which the gateway knows by itself, and sessions.
//
// The gateway asks it two things on every request that root did not sign. DeriveSigningKey: by which key should this
// request be signed? EvaluatePolicy: may its signer do this? The gateway's own rules put the answers together; bucket ACLs
// give a session nothing, for root owns every bucket.
type iam struct {
	auth.IAMService // the single-account service: there are no other users to create, find or list
	sessions        sessions
}

var (
	_ auth.SigningKeyProvider = (*iam)(nil)
	_ auth.PolicyEvaluator    = (*iam)(nil)
)

func newIAM(root aws.Credentials, s sessions) *iam {
	return &iam{IAMService: auth.NewIAMServiceSingle(auth.Account{
		Access: root.AccessKeyID, Secret: root.SecretAccessKey, Role: auth.RoleAdmin,
	}), sessions: s}
}

// DeriveSigningKey returns the SigV4 signing key of a session for a credential scope, and the account it acts as.
func (i *iam) DeriveSigningKey(access, sessionToken, date, region, service string) ([]byte, auth.Account, error) {
	s, err := i.open(access, sessionToken)
	if err != nil {
		return nil, auth.Account{}, err
	}
	return signingKey(s.SecretKey, date, region, service), auth.Account{
		Access: s.AccessKeyID,
		Role:   auth.RoleUser, // never admin: admins pass every check unasked

		SessionToken: sessionToken,
		IsSession:    true,
		Arn:          s.arn(),
		RoleArn:      roleARN,
	}, nil
}

// EvaluatePolicy decides every action on every resource for a session. The role itself may do anything; the session policy
// is reported beside it, and the gateway grants only what both allow.
func (i *iam) EvaluatePolicy(access, sessionToken string, actions []auth.Action, resources []string, condition map[string][]string) (auth.PolicyEvaluation, error) {
	s, err := i.open(access, sessionToken)
	if err != nil {
		return auth.PolicyEvaluation{}, err
	}
	eval := auth.PolicyEvaluation{PrincipalArn: s.arn(), HasSessionPolicy: s.Policy != ""}
	eval.Decisions = decide(eval.Decisions, actions, resources, func(string, string) policy.Decision {
		return policy.DecisionAllow
	})
	if !eval.HasSessionPolicy {
		return eval, nil
	}
	documents := []types.PolicyEntry{{PolicyName: "session", PolicyDocument: s.Policy}}
	eval.SessionDecisions = decide(eval.SessionDecisions, actions, resources, func(action, resource string) policy.Decision {
		return policy.EvaluateIdentityPolicies(documents, policy.RequestContext{Action: action, Resource: resource, Condition: condition})
	})
	return eval, nil
}

// open is sessions.open with S3's errors. AWS answers a temporary key without its token as it answers an unknown key.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList
func (i *iam) open(access, token string) (session, error) {
	s, err := i.sessions.open(access, token)
	switch {
	case errors.Is(err, errNoSession):
		return s, auth.ErrNoSuchUser
	case errors.Is(err, errInvalidSession):
		return s, auth.ErrInvalidSessionToken
	case errors.Is(err, errExpiredSession):
		return s, s3err.APIError{
			Code:           "ExpiredToken",
			Description:    "The provided token has expired.",
			HTTPStatusCode: http.StatusBadRequest,
		}
	}
	return s, err
}

// decide fills a matrix of decisions, a row a resource and a column an action. The first argument only names the matrix's
// type, which versitygw does not export; its values are those of policy.Decision in the same order (no match, allow, deny).
func decide[D ~int](_ [][]D, actions []auth.Action, resources []string, by func(action, resource string) policy.Decision) [][]D {
	matrix := make([][]D, len(resources))
	for r, resource := range resources {
		matrix[r] = make([]D, len(actions))
		for a, action := range actions {
			matrix[r][a] = D(by(string(action), resource))
		}
	}
	return matrix
}
