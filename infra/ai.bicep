// New accounts for Azure AI Vision and the caption model. Existing ones are used as they are.

@description('Tags of every resource.')
param tags object

@description('Name, and subdomain, of a new Vision account. Empty: none is made.')
param visionAccountName string

@description('Region of a new Vision account.')
param visionLocation string

@description('Name, and subdomain, of a new account for the model. Empty: none is made.')
param modelAccountName string

@description('Region of a new account for the model.')
param modelLocation string

@description('Model that writes captions.')
param modelName string

@description('Version of the model. Empty: the region\'s default.')
param modelVersion string

@description('Kind of the model\'s deployment.')
param modelSku string

@description('Name of the model\'s deployment.')
param modelDeployment string

@description('Tokens that the deployment takes in a minute.')
param modelTokensPerMinute int

// Keys are off: only identities with a role have access. Tokens require a custom subdomain.
resource vision 'Microsoft.CognitiveServices/accounts@2025-06-01' = if (!empty(visionAccountName)) {
  name: visionAccountName
  location: visionLocation
  tags: tags
  kind: 'ComputerVision'
  sku: { name: 'S1' }
  properties: {
    customSubDomainName: visionAccountName
    disableLocalAuth: true
    publicNetworkAccess: 'Enabled'
  }
}

resource models 'Microsoft.CognitiveServices/accounts@2025-06-01' = if (!empty(modelAccountName)) {
  name: modelAccountName
  location: modelLocation
  tags: tags
  kind: 'OpenAI'
  sku: { name: 'S0' }
  properties: {
    customSubDomainName: modelAccountName
    disableLocalAuth: true
    publicNetworkAccess: 'Enabled'
  }

  resource deployment 'deployments' = {
    name: modelDeployment
    sku: {
      name: modelSku
      capacity: modelTokensPerMinute / 1000
    }
    properties: {
      model: {
        format: 'OpenAI'
        name: modelName
        version: empty(modelVersion) ? null : modelVersion
      }
      versionUpgradeOption: 'OnceNewDefaultVersionAvailable'
    }
  }
}
