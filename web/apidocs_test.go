package web_test

import (
	"net/http"
	"testing"

	"gatehouse/internal/api"
	"gatehouse/web"
)

func TestTheDocumentationShowsEveryOperationToAnyone(t *testing.T) {
	_, document := api.New(api.Config{})
	s, admin := newSiteWithAdmin(t, func(c *web.Config) { c.APIDocument = document })
	for _, v := range []*visitor{admin, s.visitor()} {
		p := v.get("/api-docs").wantStatus(http.StatusOK)
		for _, o := range document.Operations {
			p.wantText("details#"+o.ID, o.Summary)
			p.wantText("details#"+o.ID, "X-VM-Cloud-Access: $GATEHOUSE_API_KEY")
		}
		p.wantText("details#postDeployments", "storage_size_unit")
		p.wantText("details#putDeploymentsId", "flags.single_flags")
		p.wantText("details#getDeploymentsIdRuleSetsFilesName", s.url+"/api/v1/deployments/DEPLOYMENT_ID/rule-sets/files/FILE_NAME")
	}
}
