// Everything that the app needs in a subscription, in its own resource group. docs/deploy.md explains
// its use; hooks/ does what a template cannot do.
targetScope = 'subscription'

// ---- Where, and what it is called ---------------------------------------------------------------

@description('Name of the azd environment: part of the resource group\'s name, and of what makes all other names unique.')
@minLength(1)
@maxLength(64)
param environmentName string

@description('Region of everything but the AI accounts. It must offer Flex Consumption.')
@minLength(1)
param location string

@description('Region of a new Azure AI Vision account. Empty: the same.')
param visionLocation string = ''

@description('Region of a new account for the caption model. Empty: the same.')
param modelLocation string = ''

@description('Object id of the person or pipeline that deploys: may upload images and use the command line. Empty: no one.')
param operatorId string = ''

// ---- The services that the app calls ------------------------------------------------------------

@description('Resource id of an Azure AI Vision account with a custom subdomain. It is used as it is. Empty: a new one is made.')
param existingVisionAccountId string = ''

@description('Resource id of an Azure OpenAI or Foundry account with a custom subdomain and a deployment named by modelDeployment. It is used as it is. Empty: a new one is made.')
param existingModelAccountId string = ''

@description('Model that writes captions. Empty: hooks/preprovision chooses it.')
param modelName string

@description('Version of the model. Empty: the region\'s default.')
param modelVersion string = ''

@description('Kind of the model\'s deployment.')
@allowed(['GlobalStandard', 'DataZoneStandard', 'Standard'])
param modelSku string = 'GlobalStandard'

@description('Name of the model\'s deployment. A budget needs a price for it: give it the model\'s name, or prices of your own. Empty: the model\'s name.')
param modelDeployment string = ''

@description('Calls that Vision takes in a second: its quota. See app.bicep.')
@minValue(1)
@maxValue(1000)
param visionCallsPerSecond int = 10

@description('Tokens that the model takes in a minute: the quota that a new deployment is given, or that of the existing one. See app.bicep.')
@minValue(1000)
@maxValue(100000000)
param modelTokensPerMinute int = 100000

// ---- The app ------------------------------------------------------------------------------------

@description('Container whose images are captioned.')
@minLength(3)
@maxLength(52)
param imagesContainer string = 'images'

@description('Whether the account with images is locked against deletion. `azd down` fails then.')
param deleteLock bool = false

@description('Vision features, comma-separated: VISION_FEATURES.')
param visionFeatures string = 'tags,objects,read'

@description('What the model sees: CAPTION_INPUT.')
@allowed(['image+tags', 'image', 'tags'])
param captionInput string = 'image+tags'

@description('Languages of captions, comma-separated: CAPTION_LANGUAGES.')
param captionLanguages string = 'en'

@description('Dollars that may be spent in a day (UTC) on Vision and the model, by built-in prices. `none`: no limit.')
param dailyBudgetUsd string = '5'

@description('Dollars that may be spent in a calendar month (UTC). Empty: no limit.')
param monthlyBudgetUsd string = ''

@description('Further app settings by name; they win over those that app.bicep sets.')
param settings object = {}

@description('Memory of an instance in MB.')
@allowed([2048, 4096])
param instanceMemoryMB int = 2048

@description('E-mail address that alerts go to. Empty: they only show in the portal.')
param alertEmail string = ''

// ---- Names --------------------------------------------------------------------------------------

var token = toLower(uniqueString(subscription().id, environmentName, location))
var tags = { 'azd-env-name': environmentName }
var groupName = 'rg-${environmentName}'
var names = {
  actions: 'ag-${token}'
  app: 'func-${token}'
  host: 'sthost${token}'
  identity: 'id-${token}'
  images: 'st${token}'
  insights: 'appi-${token}'
  models: 'oai-${token}'
  plan: 'plan-${token}'
  topic: 'evgt-${token}'
  vision: 'cv-${token}'
  workspace: 'log-${token}'
}

// Containers, queues and tables of the app, which creates none of them itself in Azure.
// tests/infra/test_storage.py compares these with the app.
var captionsTable = 'captions'
var tables = map(['catalog', 'words', 'reuse', 'bursts', 'usage', 'state', 'trash'], kind => '${captionsTable}${kind}')
var deferredQueue = 'caption-deferred'
var deletedQueue = 'image-deleted'
var notifyQueue = 'caption-notify'
var queues = [
  deferredQueue
  '${deferredQueue}-poison'
  deletedQueue
  '${deletedQueue}-poison'
  notifyQueue
  '${notifyQueue}-poison'
  'webjobs-blobtrigger-poison'
]
var imageContainers = [imagesContainer, '${imagesContainer}-thumbnails']
var backupContainer = '${imagesContainer}-backup'
var deadLetterContainer = 'dead-letters'
var packageContainer = 'app-package'

var deploymentName = empty(modelDeployment) ? modelName : modelDeployment
var accounts = 'Microsoft.CognitiveServices/accounts'
var visionAccountId = empty(existingVisionAccountId)
  ? resourceId(subscription().subscriptionId, groupName, accounts, names.vision)
  : existingVisionAccountId
var modelAccountId = empty(existingModelAccountId)
  ? resourceId(subscription().subscriptionId, groupName, accounts, names.models)
  : existingModelAccountId

// ---- Resources ----------------------------------------------------------------------------------

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: groupName
  location: location
  tags: tags
}

module identity 'identity.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    name: names.identity
  }
}

module storage 'storage.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    imagesAccountName: names.images
    hostAccountName: names.host
    topicName: names.topic
    containers: concat(imageContainers, [backupContainer, deadLetterContainer])
    queues: queues
    tables: tables
    packageContainer: packageContainer
    deleteLock: deleteLock
  }
}

module ai 'ai.bicep' = {
  scope: group
  params: {
    tags: tags
    visionAccountName: empty(existingVisionAccountId) ? names.vision : ''
    visionLocation: empty(visionLocation) ? location : visionLocation
    modelAccountName: empty(existingModelAccountId) ? names.models : ''
    modelLocation: empty(modelLocation) ? location : modelLocation
    modelName: modelName
    modelVersion: modelVersion
    modelSku: modelSku
    modelDeployment: deploymentName
    modelTokensPerMinute: modelTokensPerMinute
  }
}

module monitoring 'monitoring.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    workspaceName: names.workspace
    insightsName: names.insights
    actionGroupName: names.actions
    topicName: names.topic
    alertEmail: alertEmail
  }
  dependsOn: [storage]
}

module roles 'roles.bicep' = {
  scope: group
  params: {
    identityName: names.identity
    topicName: names.topic
    operatorId: operatorId
    imagesAccountName: names.images
    imageContainers: imageContainers
    backupContainer: backupContainer
    deadLetterContainer: deadLetterContainer
    queues: queues
    deferredQueue: deferredQueue
    deletedQueue: deletedQueue
    tables: tables
    hostAccountName: names.host
    insightsName: names.insights
    visionAccountId: visionAccountId
    modelAccountId: modelAccountId
  }
  dependsOn: [ai, identity, monitoring, storage]
}

module app 'app.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    appName: names.app
    planName: names.plan
    identityName: names.identity
    imagesAccountName: names.images
    hostAccountName: names.host
    packageContainer: packageContainer
    insightsName: names.insights
    visionAccountId: visionAccountId
    modelAccountId: modelAccountId
    imagesContainer: imagesContainer
    captionsTable: captionsTable
    modelName: modelName
    modelDeployment: deploymentName
    modelTokensPerMinute: modelTokensPerMinute
    visionFeatures: visionFeatures
    visionCallsPerSecond: visionCallsPerSecond
    captionInput: captionInput
    captionLanguages: captionLanguages
    dailyBudgetUsd: toLower(dailyBudgetUsd) == 'none' ? '' : dailyBudgetUsd
    monthlyBudgetUsd: monthlyBudgetUsd
    settings: settings
    instanceMemoryMB: instanceMemoryMB
  }
  dependsOn: [roles] // the app's first start needs them
}

module events 'events.bicep' = {
  scope: group
  params: {
    topicName: names.topic
    imagesAccountName: names.images
    imagesContainer: imagesContainer
    deletedQueue: deletedQueue
    deadLetterContainer: deadLetterContainer
  }
  dependsOn: [roles] // the topic's identity delivers
}

// ---- What the hooks and the command line need, as variables of the azd environment --------------

@description('Resource group of everything.')
output AZURE_RESOURCE_GROUP string = group.name

@description('The function app.')
output APP_NAME string = names.app

@description('Its address.')
output APP_URL string = app.outputs.url

@description('Account with the images.')
output IMAGES_ACCOUNT string = names.images

@description('Container with the images.')
output IMAGES_CONTAINER string = imagesContainer

@description('Queue of events of deleted images.')
output DELETED_QUEUE string = deletedQueue

@description('Container of events that could not be delivered.')
output DEAD_LETTER_CONTAINER string = deadLetterContainer

@description('Event Grid topic of the account with the images.')
output EVENT_TOPIC string = names.topic
