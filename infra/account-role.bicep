// A role on one AI account, which may be in another resource group than the app's: roles.bicep.

@description('Resource id of the account.')
param accountId string

@description('Resource id of the identity that gets the role.')
param identityId string

@description('Object id of the identity.')
param principalId string

@description('Id of the role.')
param roleId string

@description('Why it is given.')
param why string

resource account 'Microsoft.CognitiveServices/accounts@2025-06-01' existing = {
  name: last(split(accountId, '/'))
}

resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: account
  name: guid(account.id, identityId, roleId)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleId)
    principalId: principalId
    principalType: 'ServicePrincipal'
    description: why
  }
}
